"""What the stock application is asked, looked at before it is: it takes its requests for well-formed, and answers 500
to those that are not."""

import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Annotated, Any, Literal

from optuna.storages import RDBStorage
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from amnl_tune.dashboard.http import Environ, StartResponse, WsgiApp, explained, query_of
from amnl_tune.database.failures import storage_failures
from amnl_tune.errors import AmnlTuneError

LARGEST_ID = 2**31 - 1
"""Of the keys in Optuna's tables."""

Text = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
Number = Annotated[int, Field(strict=True, ge=-1, le=LARGEST_ID)]
READING = {"GET", "HEAD"}


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _NewStudy(_Body):
    study_name: Name
    directions: list[Text] = Field(min_length=1)


class _Rename(_Body):
    study_name: Name


class _Note(_Body):
    version: Number
    body: Text


class _Preference(_Body):
    mode: Text = ""
    candidates: list[Number] = []
    clicked: Number = -1


class _Component(_Body):
    output_type: Literal["note", "artifact"]
    artifact_key: Text | None = None


class _Ending(_Body):
    state: Text
    values: list[float | int] | None = None


class _Attributes(_Body):
    user_attrs: dict[Name, JsonValue] = Field(min_length=1)


class _Upload(_Body):
    file: Annotated[str, StringConstraints(strict=True, pattern=r"^data:[^,\x00]*,[A-Za-z0-9+/=\s]*$")]
    filename: Text = ""


BODIES: tuple[tuple[str, re.Pattern[str], type[_Body]], ...] = (
    ("POST", re.compile(r"/api/studies"), _NewStudy),
    ("POST", re.compile(r"/api/studies/\d+/rename"), _Rename),
    ("PUT", re.compile(r"/api/studies/\d+(/\d+)?/note"), _Note),
    ("POST", re.compile(r"/api/studies/\d+/preference"), _Preference),
    ("PUT", re.compile(r"/api/studies/\d+/preference_feedback_component"), _Component),
    ("POST", re.compile(r"/api/trials/\d+/tell"), _Ending),
    ("POST", re.compile(r"/api/trials/\d+/user-attrs"), _Attributes),
    ("POST", re.compile(r"/api/artifacts/\d+(/\d+)?"), _Upload),
)
IDS = re.compile(r"/(?:api/)?(?P<of>studies|trials|csv|artifacts)/(?P<first>-?\d+)(?:/(?P<second>-?\d+)(?=/|$))?")
DETAIL = re.compile(r"/api/studies/\d+")


class _Refusal(Exception):  # noqa: N818  (an answer, no error)
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def well_formed(app: WsgiApp, storage: RDBStorage) -> WsgiApp:
    """The stock application; what it could not take is answered with 400, 404 or 409 and the reason."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            environ = _checked(environ, storage)
        except _Refusal as refusal:
            return explained(environ, refusal.status, str(refusal))(environ, start_response)
        except AmnlTuneError as error:
            return explained(environ, HTTPStatus.SERVICE_UNAVAILABLE, str(error))(environ, start_response)
        return app(environ, start_response)

    return application


def _checked(environ: Environ, storage: RDBStorage) -> Environ:
    path = environ["PATH_INFO"].rstrip("/")
    if "\0" in path:
        raise _Refusal(HTTPStatus.BAD_REQUEST, "A path must have no zero bytes.")
    reading = environ["REQUEST_METHOD"] in READING
    known = IDS.match(path)
    if known:
        _require_known(storage, known, path)
    if reading:
        # The stock application takes parameters from a body, too; nobody sends one with a reading request.
        return environ | {
            "QUERY_STRING": _query(path, environ), "wsgi.input": BytesIO(), "CONTENT_LENGTH": "", "CONTENT_TYPE": "",
        }  # fmt: skip
    return _with_body(environ, path) if path.startswith("/api/") else environ


def _query(path: str, environ: Environ) -> str:
    """The one parameter that the stock route reads, if it can."""
    query = query_of(environ)
    if path.startswith("/csv/"):
        numbers = query.get("trial_ids", "").split(",")
        if numbers != [""] and not all(_is_number(number.strip()) for number in numbers):
            raise _Refusal(HTTPStatus.BAD_REQUEST, "`trial_ids` must be numbers with commas between them.")
        return f"trial_ids={','.join(number.strip() for number in numbers)}" if numbers != [""] else ""
    if DETAIL.fullmatch(path) and "after" in query:
        if not _is_number(query["after"]):
            raise _Refusal(HTTPStatus.BAD_REQUEST, f"`after` must be a number from 0 to {LARGEST_ID}.")
        return f"after={query['after']}"
    return ""


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,10}", text)) and int(text) <= LARGEST_ID


def _require_known(storage: RDBStorage, ids: re.Match[str], path: str) -> None:
    """Studies and trials that are there; a trial that may still be ended; a front of several objectives."""
    study = ids["first"] if ids["of"] != "trials" else None
    trial = ids["first"] if ids["of"] == "trials" else ids["second"]
    for what, name in (("study", study), ("trial", trial)):
        if name is not None and not _is_number(name):
            raise _Refusal(HTTPStatus.NOT_FOUND, f"There is no {what} with such an id.")
    with storage_failures(storage.engine.url):
        try:
            objectives = len(storage.get_study_directions(int(study))) if study is not None else 0
        except KeyError:
            raise _Refusal(HTTPStatus.NOT_FOUND, f"There is no study with the id {study}.") from None
        try:
            found = storage.get_trial(int(trial)) if trial is not None else None
        except KeyError:
            raise _Refusal(HTTPStatus.NOT_FOUND, f"There is no trial with the id {trial}.") from None
    if path.endswith("/plot/pareto_front") and objectives == 1:
        raise _Refusal(HTTPStatus.BAD_REQUEST, "A Pareto front needs several objectives, but this study has one.")
    if path.endswith(("/tell", "/user-attrs")) and found is not None and found.state.is_finished():
        raise _Refusal(HTTPStatus.CONFLICT, f"Trial {found.number} has ended already.")


def _with_body(environ: Environ, path: str) -> Environ:
    """The request with a body that its route can take, as JSON."""
    text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        body = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        raise _Refusal(HTTPStatus.BAD_REQUEST, "The body must be JSON.") from None
    if not isinstance(body, dict):
        raise _Refusal(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
    for method, route, shape in BODIES:
        if environ["REQUEST_METHOD"] == method and route.fullmatch(path):
            body = _shaped(body, shape)
    plain = json.dumps(body).encode()
    own = {"wsgi.input": BytesIO(plain), "CONTENT_LENGTH": str(len(plain)), "CONTENT_TYPE": "application/json"}
    return {name: value for name, value in environ.items() if name != "HTTP_TRANSFER_ENCODING"} | own


def _shaped(body: dict[str, Any], shape: type[_Body]) -> dict[str, Any]:
    try:
        return shape.model_validate(body).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        problems = "; ".join(f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors())
        raise _Refusal(HTTPStatus.BAD_REQUEST, f"The body must be what the route takes, but: {problems}.") from None
