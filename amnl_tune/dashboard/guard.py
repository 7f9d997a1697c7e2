"""Who may do what: known host names, a login, reading only unless edits are allowed, and only from our own pages."""

import base64
import binascii
import html
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from amnl_tune.dashboard.credentials import Credentials
from amnl_tune.dashboard.http import (
    Answer,
    Environ,
    StartResponse,
    WsgiApp,
    explained,
    form_of,
    here,
    path_of,
    path_with_query,
    query_of,
    redirected,
    wants_page,
)
from amnl_tune.dashboard.sessions import LIFETIME, Sessions, Throttle

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --text: #1a1a1a; --soft: #5c6066; --line: #8886;
  --accent: #0a5f98; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #121316; --card: #1d1f24; --text: #e8e8e8; --soft: #a6abb3;
  --accent: #58b0e3; --wrong: #f2b8b5; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0; padding: 1rem;
  min-height: 100vh; display: grid; place-items: center; }
main { width: 100%; max-width: 24rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 2rem; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; } p { margin: 0 0 1.25rem; color: var(--soft); font-size: .95rem; }
label { display: block; font-size: .9rem; margin-bottom: 1rem; }
input { display: block; width: 100%; font: inherit; color: inherit; background: transparent; margin-top: .25rem;
  padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .4rem; }
button { width: 100%; font: inherit; font-weight: 600; padding: .6rem; border: 0; border-radius: .4rem; cursor: pointer;
  color: var(--card); background: var(--accent); }
input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.wrong { color: var(--wrong); font-weight: 600; }
code { font-size: .9em; }
"""

BY_TOKEN = (
    "Open the link that <code>amnl-tune dashboard</code> printed, or paste its token here.",
    '<label>Token<input name="password" type="password" required autofocus autocomplete="off"></label>',
)
BY_PASSWORD = (
    "Log in to see the studies.",
    '<label>User<input name="user" required autofocus autocomplete="username" autocapitalize="none"></label>'
    '<label>Password<input name="password" type="password" required autocomplete="current-password"></label>',
)


def login_page(*, action: str, target: str, by_token: bool, message: str = "") -> Answer:
    """The form.

    Args:
        action: where it is sent. target: where a right answer leads.
        by_token: ask for the token, not for user and password.
        message: what was wrong with the last try.
    """
    explanation, fields = BY_TOKEN if by_token else BY_PASSWORD
    wrong = f'<p class="wrong" role="alert">{html.escape(message)}</p>' if message else ""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in: amnl-tune</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><main><h1>amnl-tune dashboard</h1><p>{explanation}</p>{wrong}"
        f'<form method="post" action="{html.escape(action)}">{fields}'
        f'<input type="hidden" name="next" value="{html.escape(target)}"><button>Log in</button></form>'
        "</main></body></html>"
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
    return Answer(body=page.encode(), headers=headers)


USER = "amnl_tune.user"
"""Key of the request's environment: who asks."""

READING = {"GET", "HEAD"}
READ_ONLY = "This dashboard is read-only; start it with --allow-edits to change studies, notes or trials."
NOT_FROM_HERE = "Changes must come from this dashboard's own pages, but this one comes from another site."


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds on one dashboard.

    Attributes:
        credentials: who may log in.
        hosts: names that requests may call us by, lower case; None: any (a login is a cookie of one name, so that a
            foreign name that points here finds nobody logged in).
        allow_edits: let through what changes studies. public_metrics: /metrics without a login.
        secret: signs sessions; random: they end with this process.
    """

    credentials: Credentials
    hosts: frozenset[str] | None = None
    allow_edits: bool = False
    public_metrics: bool = False
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)


def guarded(app: WsgiApp, rules: Rules) -> WsgiApp:
    """The application behind the rules. /healthz needs no login and answers to any name."""
    guard = _Guard(rules)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        refusal = None if environ["PATH_INFO"] == "/healthz" else guard.refusal(environ)
        return (refusal or app)(environ, start_response)

    return application


class _Guard:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._sessions = Sessions(rules.credentials, rules.secret)
        self._throttle = Throttle()

    def refusal(self, environ: Environ) -> Answer | None:
        """What to answer instead; None lets the request through, with USER in its environment."""
        if not self._is_our_name(environ):
            names = ", ".join(sorted(self._rules.hosts or ()))
            return explained(environ, HTTPStatus.FORBIDDEN, f"The dashboard answers to {names} only; see --allow-host.")
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path in {"/login", "/logout"}:
            return self._door(environ)
        if method == "GET" and self._rules.credentials.token and "token" in (query := query_of(environ)):
            return self._enter(environ, "", query["token"], path_of(environ))
        if not (path == "/metrics" and self._rules.public_metrics):
            user = self._user(environ)
            if isinstance(user, Answer):
                return user
            environ[USER] = user
        return None if method in READING else self._edit(environ)

    def _edit(self, environ: Environ) -> Answer | None:
        """What a change gets instead of being made."""
        if not self._rules.allow_edits:
            return explained(environ, HTTPStatus.METHOD_NOT_ALLOWED, READ_ONLY, Allow="GET, HEAD")
        return None if _from_here(environ) else explained(environ, HTTPStatus.FORBIDDEN, NOT_FROM_HERE)

    def _is_our_name(self, environ: Environ) -> bool:
        return self._rules.hosts is None or _name(environ.get("HTTP_HOST", "")) in self._rules.hosts

    def _user(self, environ: Environ) -> str | Answer:
        """Who asks, or what they get for not being known."""
        user = self._sessions.user_of(_cookie(environ))
        if user:
            return user
        header = environ.get("HTTP_AUTHORIZATION", "")
        if header.lower().startswith("basic "):
            return self._basic(environ, header)
        if wants_page(environ) and environ["REQUEST_METHOD"] in READING:
            return redirected(environ, f"/login?next={quote(path_with_query(environ), safe='')}")
        return _unknown(environ, "Log in first.")

    def _basic(self, environ: Environ, header: str) -> str | Answer:
        known = self._sessions.known_basic(header)
        if known:
            return known
        try:
            name, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return _unknown(environ, "The Authorization header must be HTTP Basic.")
        wait = self._throttle.admit(_client(environ))
        if wait:
            return _too_many(environ, wait)
        user = self._rules.credentials.check(name, password)
        if user is None:
            return _unknown(environ, "Wrong user or password.")
        self._throttle.succeeded(_client(environ))
        self._sessions.remember_basic(header, user)
        return user

    def _door(self, environ: Environ) -> Answer:
        """/login and /logout."""
        posted = environ["REQUEST_METHOD"] == "POST"
        if posted and not _from_here(environ):
            return explained(environ, HTTPStatus.FORBIDDEN, NOT_FROM_HERE)
        if not posted:
            if environ["REQUEST_METHOD"] not in READING:
                return explained(environ, HTTPStatus.METHOD_NOT_ALLOWED, "Log in by the form.", Allow="GET, HEAD, POST")
            if environ["PATH_INFO"] == "/logout":
                return redirected(environ, "/")
            return self._page(environ, query_of(environ).get("next", "/"))
        if environ["PATH_INFO"] == "/logout":
            self._sessions.end(_cookie(environ))
            return redirected(environ, "/login", Set_Cookie=_set_cookie(environ, "", 0))
        form = form_of(environ)
        return self._enter(environ, form.get("user", ""), form.get("password", ""), form.get("next", "/"))

    def _enter(self, environ: Environ, name: str, password: str, target: str) -> Answer:
        wait = self._throttle.admit(_client(environ))
        if wait:
            if not wants_page(environ):
                return _too_many(environ, wait)
            message = f"Too many tries; wait {wait:.0f} s."
            return self._page(environ, target, message, HTTPStatus.TOO_MANY_REQUESTS, wait)
        user = self._rules.credentials.check(name, password)
        if user is None:
            what = "token" if self._rules.credentials.token else "user or password"
            return self._page(environ, target, f"Wrong {what}.", HTTPStatus.FORBIDDEN)
        self._throttle.succeeded(_client(environ))
        cookie = _set_cookie(environ, self._sessions.issue(user), LIFETIME)
        return redirected(environ, target if _is_local(target) else "/", Set_Cookie=cookie)

    def _page(
        self, environ: Environ, target: str, message: str = "", status: HTTPStatus = HTTPStatus.OK, wait: float = 0.0
    ) -> Answer:
        page = login_page(
            action=here(environ, "/login"),
            target=target if _is_local(target) else "/",
            by_token=self._rules.credentials.token is not None,
            message=message,
        )
        return Answer(status, page.body, page.headers | ({"Retry-After": f"{wait:.0f}"} if wait else {}))


def _unknown(environ: Environ, why: str) -> Answer:
    # A browser's own dialogue must not cover the page whose script asked: only programs are told of HTTP Basic.
    scheme = "Session" if "HTTP_SEC_FETCH_MODE" in environ else 'Basic charset="UTF-8",'
    return explained(environ, HTTPStatus.UNAUTHORIZED, why, WWW_Authenticate=f'{scheme} realm="amnl-tune"')


def _too_many(environ: Environ, wait: float) -> Answer:
    why = f"Too many tries; wait {wait:.0f} s."
    return explained(environ, HTTPStatus.TOO_MANY_REQUESTS, why, Retry_After=f"{max(1.0, wait):.0f}")


def _from_here(environ: Environ) -> bool:
    """Whether one of our own pages, or a program that shows its password, sent this (OWASP: CSRF, origin check)."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    origin = environ.get("HTTP_ORIGIN")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return bool(origin.partition("://")[2].lower() == str(environ.get("HTTP_HOST", "")).lower())
    return site is not None or "HTTP_AUTHORIZATION" in environ


def _is_local(target: str) -> bool:
    return target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()


def _client(environ: Environ) -> str:
    return str(environ.get("REMOTE_ADDR", ""))


def _name(host: str) -> str:
    """Of a Host header, without its port."""
    return (host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.rsplit(":", 1)[0]).lower()


def _cookie_name(environ: Environ) -> str:
    """Cookies know no ports: two dashboards on one machine must not log each other out."""
    return f"amnl_tune_{environ['SERVER_PORT']}"


def _cookie(environ: Environ) -> str:
    try:
        cookies: SimpleCookie = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    except CookieError:
        return ""
    morsel = cookies.get(_cookie_name(environ))
    return morsel.value if morsel else ""


def _set_cookie(environ: Environ, value: str, seconds: int) -> str:
    secure = "; Secure" if environ["wsgi.url_scheme"] == "https" else ""
    path = here(environ, "/")
    return f"{_cookie_name(environ)}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
