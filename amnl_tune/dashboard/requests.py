"""What the stock application is asked, looked at before it is: it takes its requests for well-formed, and answers 500
to those that are not."""

import json
import re
from io import BytesIO
from typing import Annotated, Any, Literal

from optuna.storages import RDBStorage
from pydantic import BaseModel, Field, JsonValue, StringConstraints, ValidationError, create_model
from werkzeug.exceptions import BadRequest, Conflict, NotFound
from werkzeug.wrappers import Request

from amnl_tune.database.failures import storage_failures

LARGEST_ID = 2**31 - 1
"""Of the keys in Optuna's tables."""

READING = frozenset({"GET", "HEAD"})

Text = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
Number = Annotated[int, Field(strict=True, ge=-1, le=LARGEST_ID)]
DataUrl = Annotated[str, StringConstraints(strict=True, pattern=r"^data:[^,\x00]*,[A-Za-z0-9+/=\s]*$")]

BODIES: dict[str, dict[str, Any]] = {
    r"POST /api/studies": {"study_name": Name, "directions": Annotated[list[Text], Field(min_length=1)]},
    r"POST /api/studies/\d+/rename": {"study_name": Name},
    r"PUT /api/studies/\d+(/\d+)?/note": {"version": Number, "body": Text},
    r"POST /api/studies/\d+/preference": {
        "mode": (Text, ""), "candidates": (list[Number], []), "clicked": (Number, -1),
    },
    r"PUT /api/studies/\d+/preference_feedback_component": {
        "output_type": Literal["note", "artifact"], "artifact_key": (Text | None, None),
    },
    r"POST /api/trials/\d+/tell": {"state": Text, "values": (list[float | int] | None, None)},
    r"POST /api/trials/\d+/user-attrs": {"user_attrs": Annotated[dict[Name, JsonValue], Field(min_length=1)]},
    r"POST /api/artifacts/\d+(/\d+)?": {"file": DataUrl, "filename": (Text, "")},
}  # fmt: skip
"""What a route takes, by method and path."""

SHAPES: dict[str, type[BaseModel]] = {route: create_model("Body", **fields) for route, fields in BODIES.items()}

IDS = re.compile(r"/(?:api/)?(?P<of>studies|trials|csv|artifacts)/(?P<first>-?\d+)(?:/(?P<second>-?\d+)(?=/|$))?")
DETAIL = re.compile(r"/api/studies/(\d+)")


def wants_page(request: Request) -> bool:
    """Whether a person is looking, not a program, whose `*/*` asks for no HTML."""
    return "text/html" in request.headers.get("Accept", "")


def checked(request: Request, storage: RDBStorage) -> dict[str, Any]:
    """The request's WSGI environment as the stock application can take it.

    Raises:
        BadRequest, NotFound, Conflict: with the reason why it cannot. StorageError: the database refuses.
    """
    path = request.path.rstrip("/")
    if "\0" in path:
        raise BadRequest("A path must have no zero bytes.")
    if known := IDS.match(path):
        _require_known(storage, known, path)
    # Its path is decoded once, here: the stock application would leave out what is no UTF-8.
    environ = request.environ | {"PATH_INFO": request.path.encode().decode("latin-1")}
    environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")  # the stock routes take it for granted
    if request.method in READING:
        # The stock application takes parameters from a body, too; nobody sends one with a reading request.
        return _with_body(environ, b"", "") | {"QUERY_STRING": _query(path, request)}
    if path.startswith("/api/"):
        return _with_body(environ, json.dumps(_body(request, path)).encode(), "application/json")
    return environ


def _query(path: str, request: Request) -> str:
    """The one parameter that the stock route reads, if it can."""
    if path.startswith("/csv/") and (listed := request.args.get("trial_ids")):
        numbers = [number.strip() for number in listed.split(",")]
        if not all(map(_is_number, numbers)):
            raise BadRequest("`trial_ids` must be numbers with commas between them.")
        return f"trial_ids={','.join(numbers)}"
    if DETAIL.fullmatch(path) and (after := request.args.get("after")):
        if not _is_number(after):
            raise BadRequest(f"`after` must be a number from 0 to {LARGEST_ID}.")
        return f"after={after}"
    return ""


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,10}", text)) and int(text) <= LARGEST_ID


def _require_known(storage: RDBStorage, ids: re.Match[str], path: str) -> None:
    """Studies and trials that are there; a trial that may still be ended; a front of several objectives."""
    study, trial = (None, ids["first"]) if ids["of"] == "trials" else (ids["first"], ids["second"])
    for what, name in (("study", study), ("trial", trial)):
        if name is not None and not _is_number(name):
            raise NotFound(f"There is no {what} with such an id.")
    with storage_failures(storage.engine.url):
        try:
            objectives = len(storage.get_study_directions(int(study))) if study is not None else 0
        except KeyError:
            raise NotFound(f"There is no study with the id {study}.") from None
        try:
            found = storage.get_trial(int(trial)) if trial is not None else None
        except KeyError:
            raise NotFound(f"There is no trial with the id {trial}.") from None
    if path.endswith("/plot/pareto_front") and objectives == 1:
        raise BadRequest("A Pareto front needs several objectives, but this study has one.")
    if path.endswith(("/tell", "/user-attrs")) and found is not None and found.state.is_finished():
        raise Conflict(f"Trial {found.number} has ended already.")


def _body(request: Request, path: str) -> dict[str, Any]:
    """The JSON that was sent, as its route can take it."""
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("The body must be JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    for route, shape in SHAPES.items():
        if re.fullmatch(route, f"{request.method} {path}"):
            try:
                return shape.model_validate(body).model_dump(mode="json", exclude_unset=True)
            except ValidationError as error:
                problems = "; ".join(f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors())
                raise BadRequest(f"The body must be what the route takes, but: {problems}.") from None
    return body


def _with_body(environ: dict[str, Any], body: bytes, kind: str) -> dict[str, Any]:
    own = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": kind}
    return {name: value for name, value in environ.items() if name != "HTTP_TRANSFER_ENCODING"} | own
