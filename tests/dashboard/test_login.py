"""Who may do what on a dashboard, over real HTTP."""

import math
import threading
import time
from typing import Any

import pytest

from amnl_tune.dashboard.credentials import Credentials, credentials_line, parse_credentials, token_credentials
from amnl_tune.dashboard.sessions import FREE_TRIES, LIFETIME, LONGEST_WAIT, Sessions, Throttle
from amnl_tune.errors import ConfigurationError

PASSWORD = "correct horse battery"
LINE = credentials_line("ada", PASSWORD)
TOKEN = "a-token-that-only-tests-know"
WRITES = [
    ("POST", "/api/studies", '{"study_name": "new", "directions": ["minimize"]}'),
    ("POST", "/api/studies/1/rename", '{"study_name": "other"}'),
    ("DELETE", "/api/studies/1", "{}"),
    ("PUT", "/api/studies/1/note", '{"version": 1, "body": "mine"}'),
    ("POST", "/api/trials/1/tell", '{"state": "Fail"}'),
    ("OPTIONS", "/api/studies", ""),
    ("POST", "/incompatible-rdb-schema", ""),
]


@pytest.fixture
def site(finished: Any, serving: Any) -> Any:
    with serving(finished.ledger, finished.artifacts) as site:
        yield site


def test_nothing_is_shown_without_a_login(site: Any) -> None:
    for path in ("/api/studies", "/metrics", "/csv/1", "/static/bundle.js", "/report/tiny", "/curves/tiny/0.svg"):
        reply = site(path)
        assert reply.status == 401, path
        assert b"tiny" not in reply.body
        assert reply.headers["www-authenticate"].startswith("Basic")
    page = site("/dashboard/studies/1?x=1", Accept="text/html")
    assert page.status == 303
    assert page.headers["location"] == "/login?next=%2Fdashboard%2Fstudies%2F1%3Fx%3D1"
    # The page's own script must not make the browser open its dialogue.
    assert "Basic" not in site("/api/studies", Sec_Fetch_Mode="cors").headers["www-authenticate"]


def test_the_printed_link_logs_in_and_the_token_leaves_the_address(site: Any) -> None:
    reply = site(f"/?token={TOKEN}")
    assert reply.status == 303
    assert reply.headers["location"] == "/"
    cookie = reply.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LIFETIME}"} <= set(cookie.split("; "))
    assert cookie.startswith(f"amnl_tune_{site.port}=")
    assert "Secure" not in cookie
    assert b'"tiny"' in site("/api/studies", Cookie=reply.cookie).body
    assert site("/", Cookie=reply.cookie).headers["location"] == "/dashboard"
    assert site("/dashboard", Cookie=reply.cookie).status == 200
    wrong = site("/?token=guess", Accept="text/html")
    assert wrong.status == 403
    assert "Wrong token." in wrong.text
    assert "set-cookie" not in wrong.headers


def test_forged_ended_and_foreign_sessions_are_worth_nothing(finished: Any, serving: Any) -> None:
    with serving(finished.ledger, finished.artifacts) as site:
        name, session = site(f"/?token={TOKEN}").cookie.split("=", 1)
        content, begun, signature = session.split(".")
        later = f"{content}.{begun[:-1]}{'Ax'[begun[-1] == 'A']}.{signature}"
        other_user = f"{content[:4]}{'Ax'[content[4] == 'A']}{content[5:]}.{begun}.{signature}"
        unsigned = f"{content}.{begun}.{'Ax'[signature[0] == 'A']}{signature[1:]}"
        former = f"bG9jYWw.{int(time.time()) + LIFETIME}.0123456789ab.{'0' * 64}"  # of versions before
        for forged in (later, other_user, unsigned, former, "", "a.b", "....", "\u00e9.1.1.1"):
            assert site("/api/studies", Cookie=f"{name}={forged}".encode().decode("latin-1")).status == 401, forged
        assert site("/api/studies", Cookie=f"{name}={session}").status == 200
        out = site.post_form("/logout", "", Cookie=f"{name}={session}")
        assert (out.status, out.headers["location"]) == (303, "/login")
        assert "Max-Age=0" in out.headers["set-cookie"]
        assert site("/api/studies", Cookie=f"{name}={session}").status == 401
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":  # some are the same signature
            assert site("/api/studies", Cookie=f"{name}={session[:-1]}{last}").status == 401
        again = site(f"/?token={TOKEN}").cookie.split("=", 1)[1]
    with serving(finished.ledger, finished.artifacts) as other:  # another process has another secret
        assert other("/api/studies", Cookie=f"amnl_tune_{other.port}={again}").status == 401


def test_a_known_secret_keeps_sessions_and_the_password_ends_them(finished: Any, serving: Any) -> None:
    secret = b"s" * 32
    users = parse_credentials(f"{LINE}\n", "users")
    with serving(finished.ledger, finished.artifacts, credentials=users, secret=secret) as site:
        session = site.post_form("/login", f"user=ada&password={PASSWORD}").cookie.split("=", 1)[1]
    with serving(finished.ledger, finished.artifacts, credentials=users, secret=secret) as site:
        assert site("/api/studies", Cookie=f"amnl_tune_{site.port}={session}").status == 200
    changed = parse_credentials(credentials_line("ada", "another password"), "users")
    with serving(finished.ledger, finished.artifacts, credentials=changed, secret=secret) as site:
        assert site("/api/studies", Cookie=f"amnl_tune_{site.port}={session}").status == 401


def test_a_user_logs_in_by_the_form_and_comes_back_to_where_it_was(finished: Any, serving: Any) -> None:
    with serving(finished.ledger, finished.artifacts, credentials=parse_credentials(LINE, "users")) as site:
        form = site("/login?next=/dashboard/studies/1")
        assert form.status == 200
        assert 'name="next" value="/dashboard/studies/1"' in form.text
        wrong = site.post_form("/login", "user=ada&password=guess&next=%2Fdashboard")
        unknown = site.post_form("/login", f"user=eve&password={PASSWORD}&next=%2Fdashboard")
        assert wrong.status == unknown.status == 403
        assert "Wrong user or password." in wrong.text
        assert wrong.text == unknown.text  # nor does it tell who is a user
        right = site.post_form("/login", f"user=ada&password={PASSWORD}&next=%2Fdashboard%2Fstudies%2F1")
        assert right.headers["location"] == "/dashboard/studies/1"
        assert "ada · read-only" in site("/dashboard", Cookie=right.cookie).text
        for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:x"):
            reply = site.post_form("/login", f"user=ada&password={PASSWORD}&next={elsewhere}")
            assert reply.headers["location"] == "/"
        assert site.post_form("/login", f"user=ada&password={PASSWORD}", Origin="https://evil.example").status == 403
        assert site.post_form("/login", "user=ada&password=" + "x" * 5000).status == 413


def test_programs_log_in_by_http_basic(finished: Any, serving: Any) -> None:
    with serving(finished.ledger, finished.artifacts, credentials=parse_credentials(LINE, "users")) as site:
        assert site.known(PASSWORD, "ada")("/api/studies").status == 200
        assert site.known(PASSWORD, "ada")("/metrics").status == 200  # remembered: no second hash
        assert site.known(PASSWORD, "eve")("/metrics").status == 401
        assert site("/metrics", Authorization="Basic !!!").status == 401
        assert site("/metrics", Authorization="Bearer x").status == 401
    with serving(finished.ledger, finished.artifacts) as site:
        assert site.known(TOKEN, "anybody")("/api/studies").status == 200


def test_many_wrong_passwords_have_to_wait_however_they_come(site: Any) -> None:
    for _ in range(FREE_TRIES):
        assert site.known("guess")("/metrics").status == 401
    refused = site.known("guess")("/metrics")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "Too many tries" in site.post_form("/login", f"password={TOKEN}").text  # the right one too
    assert "Too many tries" in site(f"/?token={TOKEN}", Accept="text/html").text


def test_tries_at_once_are_many_tries(site: Any) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(site.known("guess")("/metrics").status)) for _ in range(20)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    waited = int(math.log2(1 + time.monotonic() - began))  # one more after 1 s, 2 more after 3 s, 3 more after 7 s
    assert statuses.count(401) <= FREE_TRIES + 1 + waited
    assert len(statuses) == 20


def test_clients_behind_a_trusted_proxy_wait_each_for_itself(finished: Any, serving: Any) -> None:
    with serving(finished.ledger, finished.artifacts, trusted_proxy="127.0.0.1") as site:
        for _ in range(FREE_TRIES + 1):
            status = site.known("guess")("/metrics", X_Forwarded_For="192.0.2.1").status
        assert status == 429
        assert site.known()("/metrics", X_Forwarded_For="192.0.2.2").status == 200
        by_https = site(f"/?token={TOKEN}", X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.2")
        assert "Secure" in by_https.headers["set-cookie"]
    with serving(finished.ledger, finished.artifacts) as site:  # not believed
        for count in range(FREE_TRIES + 1):
            status = site.known("guess")("/metrics", X_Forwarded_For=f"192.0.2.{count}").status
        assert status == 429


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda value: str(value)[:24])
def test_a_dashboard_is_read_only(site: Any, method: str, path: str, body: str) -> None:
    reply = site.known()(path, method, body, Content_Type="application/json")
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"
    assert "--allow-edits" in reply.text
    assert reply.headers["content-type"].startswith("application/json" if path.startswith("/api") else "text/plain")


def test_other_names_are_refused(finished: Any, serving: Any, site: Any) -> None:
    for name in ("evil.example", "evil.example:80", "", "localhost.evil.example", "[::1]"):
        assert site.known()("/api/studies", Host=name).status == 403, name
        assert site("/healthz", Host=name or "x").status == 200
    assert site.known()("/api/studies", Host=f"LOCALHOST:{site.port}").status == 200
    with serving(finished.ledger, finished.artifacts, hosts=None) as anywhere:
        assert anywhere.known()("/api/studies", Host="tune.example.org").status == 200


def test_credentials_are_checked_line_by_line() -> None:
    users = parse_credentials(f"# who\n\n{LINE}\n{credentials_line('bob@x.org', 'bobs password')}\n", "users")
    assert users.check("ada", PASSWORD) == "ada"
    assert users.check("ada", "bobs password") is None
    assert users.check("eve", PASSWORD) is None
    assert users.check("bob@x.org", "bobs password") == "bob@x.org"
    assert set(parse_credentials(f"{LINE} {credentials_line('bob', 'bobs password')}", "ENV").hashes) == {"ada", "bob"}
    assert PASSWORD not in LINE
    assert "$" not in LINE  # compose files take it for a variable
    for wrong in (
        "ada",
        "ada:",
        "ada:secret",
        "a b:c",
        LINE.replace("16384", "16383"),
        LINE.replace("16384", "1048576"),
    ):
        with pytest.raises(ConfigurationError, match=r"users:1 must be USER:scrypt.*--hash-password") as told:
            parse_credentials(wrong, "users")
        assert "secret" not in str(told.value)
    with pytest.raises(ConfigurationError, match="users:2: a user must come once, but 'ada'"):
        parse_credentials(f"{LINE}\n{LINE}", "users")
    with pytest.raises(ConfigurationError, match="must name one user or more, but names none"):
        parse_credentials("# nobody\n", "users")
    with pytest.raises(ConfigurationError, match="must have 8 characters or more, but got 5"):
        credentials_line("ada", "short")
    with pytest.raises(ConfigurationError, match="A user must be 1 to 64 letters"):
        credentials_line("a:b", PASSWORD)


def test_tokens_differ_and_are_not_shown() -> None:
    first, second = token_credentials(), token_credentials()
    assert first.token
    assert first.token != second.token
    assert first.token not in repr(first)
    assert first.check("", second.token or "") is None


def test_sessions_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    sessions = Sessions(Credentials(token="t"), b"secret")
    session = sessions.issue("local")
    assert sessions.user_of(session) == "local"
    sessions.remember_basic("Basic x", "local")
    assert sessions.known_basic("Basic x") == "local"
    now[0] += LIFETIME + 1
    assert sessions.user_of(session) is None
    assert sessions.known_basic("Basic x") is None


def test_waiting_doubles_up_to_a_minute_and_is_forgotten() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(FREE_TRIES):
        assert throttle.admit("a") == 0.0
    waits = []
    for _ in range(8):
        wait = throttle.admit("a")
        waits.append(wait)
        now[0] += wait
        assert throttle.admit("a") == 0.0
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert throttle.admit("b") == 0.0
    now[0] += 2 * LONGEST_WAIT + 1
    for _ in range(FREE_TRIES):
        assert throttle.admit("a") == 0.0
    throttle.succeeded("a")
    assert throttle.admit("a") == 0.0
