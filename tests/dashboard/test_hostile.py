"""What strangers and odd programs send to a dashboard: half a request for ever, targets and queries of any form."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import pytest
from bounded import join

from amnl_tune.dashboard import pages, server
from amnl_tune.dashboard.credentials import credentials_line, parse_credentials
from amnl_tune.database.engine import Ledger
from amnl_tune.database.schema import upgrade

PASSWORD = "correct horse battery"
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
SLOW_BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture
def site(finished: Any, serving: Any) -> Any:
    with serving(finished.ledger, finished.artifacts) as site:
        yield site


@pytest.fixture
def editable(
    tmp_path: Path, serving: Any, finished: Any, new_storage: Callable[[str], str], kind: str
) -> Iterator[Any]:
    """A dashboard that lets changes through, on a database of its own with one study of Optuna's, and its URL."""
    storage = new_storage(kind)
    upgrade(storage)
    study = optuna.create_study(storage=storage, study_name="plain")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    study.ask()
    study._storage.remove_session()  # type: ignore[attr-defined]
    study._storage._backend.engine.dispose()  # type: ignore[attr-defined]
    ledger = Ledger(storage)
    with serving(ledger, finished.artifacts, allow_edits=True) as site:
        yield site.known()
    ledger.close()


class Crowd:
    """Connections that send a little at a time and never enough."""

    def __init__(self, port: int, count: int, first: bytes, more: bytes) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(count)]
        self.more, self._over = more, threading.Event()
        for one in self.sockets:
            one.sendall(first)
        self._thread = threading.Thread(target=self._trickle)

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        join(self._thread)
        for one in self.sockets:
            one.close()

    def _trickle(self) -> None:
        while not self._over.wait(0.2):
            for one in self.sockets:
                with suppress(OSError):  # closed on the other side, as it should be
                    one.sendall(self.more)

    def all_closed(self) -> bool:
        """Whether the server has given them all up."""
        for one in self.sockets:
            one.settimeout(0.01)
            try:
                while one.recv(4096):
                    pass
            except TimeoutError:
                return False
            except OSError:
                pass
        return True


@pytest.mark.parametrize(
    ("first", "more"), [(HEAD, b"X-b: c\r\n"), (SLOW_BODY, b"x"), (b"", b"")], ids=["heads", "bodies", "silence"]
)
def test_half_open_connections_block_nobody(site: Any, first: bytes, more: bytes) -> None:
    """From the same address as those that ask in earnest."""
    with Crowd(site.port, 3 * server.MOST_OF_A_CLIENT, first, more):
        for _ in range(3):
            assert site("/healthz").status == 200
            assert site.known()("/api/studies").status == 200


@pytest.mark.parametrize("path", [b"/\xff\xfe", b"/api/studies/1?after=\xff"])
def test_a_head_that_cannot_be_read_is_answered(site: Any, path: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as one:
        one.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("first", "more"), [(HEAD, b"X-b: c\r\n"), (SLOW_BODY, b"x")], ids=["heads", "bodies"])
def test_a_request_has_its_time_and_no_more(
    site: Any, first: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(server, "BODY_SECONDS", 0.5)
    with Crowd(site.port, 5, first, more) as crowd:
        until = time.monotonic() + 60
        while not crowd.all_closed():
            assert time.monotonic() < until, "not closed in a minute"


def test_a_silent_client_is_given_up_and_one_between_two_requests_is_not(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "HEALTH_PATIENCE", 60.0)
    ask = HEAD.replace(b"GET /", b"GET /healthz") + b"\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=120) as connection:
        for _ in range(3):
            connection.sendall(ask)
            answer = b""
            while not answer.endswith(b"\r\n\r\nok\n"):  # head and body come as they please
                part = connection.recv(4096)
                assert part, f"closed after {answer!r}"
                answer += part
            assert answer.startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(server, "IDLE_SECONDS", 0.5)
        assert connection.recv(4096) == b""


def test_a_proxy_is_many_clients(finished: Any, serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose connections are all of one address: none makes room for another before all are too many."""
    monkeypatch.setattr(server, "MOST_OF_A_CLIENT", 3)
    ask = HEAD.replace(b"GET /", b"GET /healthz") + b"\r\n"
    with serving(finished.ledger, finished.artifacts, trusted_proxy="127.0.0.1") as site:
        held = [socket.create_connection(("127.0.0.1", site.port), timeout=60) for _ in range(8)]
        for connection in held:
            with connection:
                connection.sendall(ask)
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_health_is_told_while_every_thread_is_busy_and_the_database_hangs(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, asked = threading.Event(), threading.Semaphore(0)

    def hang(*_: object) -> str:
        asked.release()
        over.wait(120)
        return ""

    monkeypatch.setattr(pages, "report_page", hang)
    threads = [threading.Thread(target=site.known(), args=("/report/tiny",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert asked.acquire(timeout=60)
    assert site("/healthz").status == 200
    monkeypatch.setattr(pages, "HEALTH_PATIENCE", 0.2)
    monkeypatch.setattr(pages, "require_schema", lambda url: over.wait(120))
    until = time.monotonic() + 60
    while site("/healthz").status == 200:  # the last answer, which holds for a second
        assert time.monotonic() < until
    assert site("/healthz").status == 503
    over.set()
    for thread in threads:
        thread.join(120)
    until = time.monotonic() + 60
    while site("/healthz").status != 200:
        assert time.monotonic() < until


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/中", "/%E4%B8%AD"),
        ("/dashboard/studies/1?x=ü y", "/dashboard/studies/1?x=%C3%BC%20y"),
        ("/%E4%B8%AD", "/%E4%B8%AD"),
        ("/%2f%2fevil.example", "/%2f%2fevil.example"),
        ("/a%0d%0aX: y", "/a%0d%0aX:%20y"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("/\t/evil.example", "/"),
        ("/\0", "/"),
        ("/\ud7ff\uffff", "/"),
        ("", "/"),
        ("/" + "中" * 200, "/" + "%E4%B8%AD" * 200),
    ],
)
def test_where_a_login_leads(finished: Any, serving: Any, target: str, location: str) -> None:
    users = parse_credentials(credentials_line("ada", PASSWORD), "users")
    with serving(finished.ledger, finished.artifacts, credentials=users) as site:
        assert site(f"/login?next={quote(target)}").status == 200
        reply = site.post_form("/login", f"user=ada&password={quote(PASSWORD)}&next={quote(target, safe='')}")
        assert (reply.status, reply.headers["location"]) == (303, location)
        assert reply.cookie


def test_a_login_is_asked_for_where_a_path_is_not_ascii(site: Any) -> None:
    page = site(f"/report/{quote('中')}?a=b", Accept="text/html")
    assert page.status == 303
    assert page.headers["location"] == "/login?next=%2Freport%2F%25E4%25B8%25AD%3Fa%3Db"
    assert site.known()(f"/report/{quote('中')}").status == 404
    entered = site(f"/{quote('中')}?token=a-token-that-only-tests-know")
    assert (entered.status, entered.headers["location"]) == (303, "/%E4%B8%AD")


@pytest.mark.parametrize("origin", ["http://[", "null", "http://", "://", "http://localhost:99999999", "\u00e9"])
def test_odd_origins(site: Any, origin: str) -> None:
    sent = {"Origin": origin.encode().decode("latin-1"), "Content-Type": "application/x-www-form-urlencoded"}
    assert site("/login", "POST", "password=guess", **sent).status == 403


HUGE = "9" * 5000
READS = [
    *(f"/api/studies/{study}" for study in ("0", "-1", "99", "2147483648", "9" * 30, HUGE, "x", "1.5", "%00")),
    *(f"/api/studies/1?after={quote(after)}" for after in ("-1", "x", "1.5", "٣", HUGE, "\0")),
    *(f"/api/studies/{study}/param_importances" for study in ("99", HUGE)),
    *(f"/api/studies/99/plot/{kind}" for kind in ("contour", "edf")),
    "/api/studies/1/plot/pareto_front",
    "/api/studies/1/plot/nothing",
    f"/csv/{HUGE}",
    "/csv/99",
    f"/csv/1?trial_ids={quote('1,x')}",
    f"/csv/1?trial_ids={HUGE}",
    "/csv/1?trial_ids=99",
    "/artifacts/1/ab",
    "/artifacts/99/1/ab",
    f"/artifacts/{HUGE}/1/ab",
    "/static/%00",
    "/static/..%2f..%2fetc/passwd",
    f"/static/{'x' * 5000}",
    "/report/%00",
    "/report/x%00y",
    "/curves/%00/1.svg",
    f"/curves/tiny/{HUGE}.svg",
    "/api/nothing",
]


@pytest.mark.parametrize("path", READS, ids=[path[:50] for path in READS])
def test_odd_questions_get_a_refusal(site: Any, path: str) -> None:
    reply = site.known()(path)
    assert 400 <= reply.status < 500, (reply.status, reply.text[:300])


def test_every_plot_of_a_study_and_of_one_without_trials(site: Any, editable: Any) -> None:
    assert editable("/api/studies", "POST", '{"study_name": "empty", "directions": ["minimize"]}', **OURS).status == 201
    for kind in ("contour", "slice", "parallel_coordinate", "rank", "edf", "timeline"):
        for at, path in ((site.known(), "/api/studies/1"), (editable, "/api/studies/1"), (editable, "/api/studies/2")):
            assert at(f"{path}/plot/{kind}").status == 200, (kind, path)


def test_what_is_right_goes_through(site: Any) -> None:
    known = site.known()
    assert len(json.loads(known("/api/studies/1?after=3").body)["trials"]) == 1
    assert known("/api/studies/1?after=99&x=%FF").status == 200
    assert known("/csv/1?trial_ids=0,%202").text.count("\n") == 3
    assert known("/api/studies/1/", "GET", "x", Content_Type="multipart/form-data").status == 200


OURS = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
WRITES = [
    *(
        (method, path, body)
        for method, path in (
            ("POST", "/api/studies"),
            ("POST", "/api/studies/1/rename"),
            ("PUT", "/api/studies/1/note"),
            ("PUT", "/api/studies/1/3/note"),
            ("POST", "/api/studies/1/preference"),
            ("PUT", "/api/studies/1/preference_feedback_component"),
            ("POST", "/api/trials/3/tell"),
            ("POST", "/api/trials/3/user-attrs"),
            ("POST", "/api/artifacts/1"),
            ("POST", "/api/artifacts/1/3"),
            ("POST", "/api/llm/trial_filter_query"),
        )
        for body in ("", "{", "[]", "1", "null", '"x"', "\xff", "[" * 100_000)
    ),
    ("POST", "/api/studies", '{"study_name": 1, "directions": ["minimize"]}'),
    ("POST", "/api/studies", '{"study_name": "x", "directions": [1]}'),
    ("POST", "/api/studies", '{"study_name": "x", "directions": "minimize"}'),
    ("POST", "/api/studies", '{"study_name": "x\\u0000", "directions": ["minimize"]}'),
    ("POST", "/api/studies", json.dumps({"study_name": "x" * 600, "directions": ["minimize"]})),
    ("POST", "/api/studies", '{"study_name": "plain", "directions": ["minimize"]}'),
    ("POST", "/api/studies/99/rename", '{"study_name": "x"}'),
    ("POST", "/api/studies/1/rename", '{"study_name": ["x"]}'),
    ("DELETE", "/api/studies/99", ""),
    ("DELETE", f"/api/studies/{HUGE}", ""),
    ("PUT", "/api/studies/99/note", '{"version": 1, "body": "x"}'),
    ("PUT", "/api/studies/1/note", '{"version": "x", "body": "x"}'),
    ("PUT", "/api/studies/1/note", '{"version": 99999999999999999999, "body": "x"}'),
    ("PUT", "/api/studies/1/note", '{"version": 1, "body": {}}'),
    ("PUT", "/api/studies/1/99/note", '{"version": 1, "body": "x"}'),
    ("POST", "/api/trials/99/tell", '{"state": "Fail"}'),
    ("POST", "/api/trials/1/tell", '{"state": "Fail"}'),
    ("POST", "/api/trials/3/tell", '{"state": "Complete", "values": ["x"]}'),
    ("POST", "/api/trials/3/tell", '{"state": "Complete", "values": 1}'),
    ("POST", "/api/trials/3/tell", '{"state": 1}'),
    ("POST", "/api/trials/99/user-attrs", '{"user_attrs": {"a": 1}}'),
    ("POST", "/api/trials/3/user-attrs", '{"user_attrs": [1]}'),
    ("POST", "/api/trials/1/user-attrs", '{"user_attrs": {"a": 1}}'),
    ("POST", "/api/studies/1/99/skip", ""),
    ("POST", "/api/studies/1/3/skip", ""),
    ("DELETE", "/api/studies/1/preference/x", ""),
    ("POST", "/api/studies/1/preference/x", ""),
    ("POST", "/api/studies/1/preference", '{"mode": "ChooseWorst", "candidates": ["x"], "clicked": 1}'),
    ("DELETE", "/api/artifacts/1/ab", ""),
    ("DELETE", "/api/artifacts/1/3/ab", ""),
    ("PATCH", "/api/studies/1", ""),
]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_odd_changes_get_a_refusal(editable: Any, kind: str) -> None:
    for method, path, body in WRITES:
        reply = editable(path, method, body.encode("latin-1"), **OURS)
        assert 400 <= reply.status < 500, (method, path, body[:80], reply.status, reply.text[:300])
    names = [study["study_name"] for study in json.loads(editable("/api/studies").body)["study_summaries"]]
    assert names == ["plain"]
    assert editable("/api/studies/1/note", "PUT", '{"version": 1, "body": "mine"}', **OURS).status == 204
    assert editable("/api/trials/3/tell", "POST", '{"state": "Complete", "values": [0.5]}', **OURS).status == 204
    made = editable("/api/studies", "POST", '{"study_name": "x", "directions": ["minimize"]}', **OURS)
    assert made.status == 201
    number = json.loads(made.body)["study_summary"]["study_id"]
    assert editable(f"/api/studies/{number}", "DELETE", "", **OURS).status == 204


@pytest.fixture
def kind() -> str:
    return "sqlite"


def test_a_database_that_is_away_is_said_as_such(editable: Any, tmp_path: Path) -> None:
    (file,) = tmp_path.glob("t*.db")
    file.write_bytes(b"no database" * 1000)
    reply = editable("/api/studies/1")
    assert reply.status == 503, reply.text
