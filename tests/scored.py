"""A study that has been promoted and scored, made once; and a dashboard that really serves it."""

import base64
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.app import dashboard_app
from amnl_tune.dashboard.credentials import Credentials
from amnl_tune.dashboard.guard import Rules
from amnl_tune.dashboard.server import serve
from amnl_tune.database.engine import Ledger
from amnl_tune.database.optuna_storage import open_storage
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.promotion.scores import CandidateKind, TestScores
from amnl_tune.promotion.scoring import ensure_scored
from amnl_tune.results.export.export import ship
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec

TOKEN = "a-token-that-only-tests-know"
LOCAL = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True)
class Finished:
    spec: StudySpec
    ledger: Ledger
    source: FleetSource
    artifacts: Artifacts
    scores: TestScores
    bundle: Path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, fleet_dir: Path) -> Iterator[Finished]:
    home = tmp_path_factory.mktemp("finished")
    text = (Path(__file__).parent / "tiny.toml").read_text()
    spec = parse_study_spec(text.replace("Does it work?", "Is <b>this</b> escaped?"), name="tiny")
    ledger, artifacts = Ledger(f"sqlite:///{home / 'a.db'}"), Artifacts(home)
    source = FleetSource((fleet_dir,))
    open_study(Workspace(ledger, source, artifacts), spec, device="cpu")
    url = ledger.url.render_as_string(hide_password=False)
    place = open_workplace(url, "tiny", source, artifacts, tensorboard=False)
    work(place, threads=1)
    number = open_promotion(find_study(ledger, spec.name), seeds=[42, 123])
    work(place, threads=1)
    scores = ensure_scored(Workspace(ledger, source, artifacts), find_study(ledger, spec.name), number=number)
    ship(
        Workspace(ledger, source, artifacts), find_study(ledger, spec.name), home / "bundle", kind=CandidateKind.NETWORK
    )
    yield Finished(spec, ledger, source, artifacts, scores, home / "bundle")
    ledger.close()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        """What a browser would send back."""
        return self.headers["set-cookie"].split(";", 1)[0]


@dataclass(frozen=True)
class Site:
    """A served dashboard; `url` has no slash at its end."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
        place = urlsplit(self.url)
        assert place.hostname
        connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=120)
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, place.path + path, body, sent)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read())
        finally:
            connection.close()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    def known(self, password: str = TOKEN, user: str = "") -> "Site":
        """The same, with HTTP Basic."""
        return Site(self.url, self.headers | {"Authorization": basic(user, password)})

    def post_form(self, path: str, text: str, **headers: str) -> Reply:
        """As the browser sends one of our own forms."""
        place = urlsplit(self.url)
        ours = {"Origin": f"http://{place.netloc}", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        sent = ours | {name.replace("_", "-"): value for name, value in headers.items()}
        return Site(self.url, self.headers | sent)(
            path, "POST", text, **{"Content-Type": "application/x-www-form-urlencoded"}
        )


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def _serving(
    ledger: Ledger,
    artifacts: Artifacts,
    *,
    credentials: Credentials | None = None,
    trusted_proxy: str | None = None,
    **rules: Any,
) -> Iterator[Site]:
    """Serves until the block ends."""
    known = Rules(credentials=credentials or Credentials(token=TOKEN), **({"hosts": LOCAL} | rules))
    storage = open_storage(ledger)
    app = dashboard_app(ledger, storage, artifacts, known)
    urls: list[str] = []
    failures: list[BaseException] = []
    ready, stop = threading.Event(), threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        ready.set()

    def run() -> None:
        try:
            serve(app, host="127.0.0.1", port=0, ready=note, stop=stop, trusted_proxy=trusted_proxy)
        except BaseException as error:
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(300)
        assert not failures, failures
        yield Site(urls[0].rstrip("/"))
    finally:
        stop.set()
        thread.join(120)
        assert not thread.is_alive()
        storage.engine.dispose()


@pytest.fixture
def serving() -> Any:
    """Serves a ledger until the block ends; gives a client. The token of the default login is `TOKEN`."""
    return _serving
