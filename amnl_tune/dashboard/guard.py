"""Who may do what: known host names, a login, reading only unless edits are allowed, and only from our own pages."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import quote

from werkzeug.exceptions import Forbidden, MethodNotAllowed, TooManyRequests, Unauthorized
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from amnl_tune.dashboard.credentials import Credentials
from amnl_tune.dashboard.pages import rendered
from amnl_tune.dashboard.requests import READING, wants_page
from amnl_tune.dashboard.sessions import LIFETIME, Sessions, Throttle

LARGEST_FORM = 4096
"""Bytes of a login: anybody may send one."""

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


class Guard:
    """Lets requests through, or answers them itself: /login, /logout, the link with the token."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._sessions = Sessions(rules.credentials, rules.secret)
        self._throttle = Throttle()

    def admit(self, request: Request) -> str | Response:
        """Who asks, by name ("" where anybody may), or what to answer instead.

        Raises:
            Forbidden: by a foreign name, or from a foreign page. Unauthorized: by nobody that is known.
            MethodNotAllowed: a change, on a dashboard that is read-only. TooManyRequests: too many wrong passwords.
        """
        rules, host = self._rules, request.headers.get("Host", "").lower()
        name = (
            host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.rsplit(":", 1)[0]
        )  # without its port
        if rules.hosts is not None and name not in rules.hosts:
            raise Forbidden(f"The dashboard answers to {', '.join(sorted(rules.hosts))} only; see --allow-host.")
        if request.path == "/login":
            return self._login(request)
        if request.path == "/logout":
            return self._logout(request)
        if request.method == "GET" and rules.credentials.token and (token := request.args.get("token")):
            return self._enter(request, "", token, quote(request.path))
        user = "" if request.path == "/metrics" and rules.public_metrics else self._user(request)
        if user is None and wants_page(request) and request.method in READING:
            asked = quote(request.path) + (f"?{request.query_string.decode('latin-1')}" if request.query_string else "")
            return redirect(f"/login?next={quote(asked, safe='')}", 303)
        if user is None:
            raise Unauthorized("Log in first.")
        if request.method not in READING:
            if not rules.allow_edits:
                raise MethodNotAllowed(["GET", "HEAD"], READ_ONLY)
            _require_from_here(request)
        return user

    def _user(self, request: Request) -> str | None:
        """Who asks, by cookie or HTTP Basic; None without either, or where the session is over."""
        user = self._sessions.user_of(request.cookies.get(_cookie_name(request), ""))
        header = request.headers.get("Authorization", "")
        if user or not header.lower().startswith("basic "):
            return user
        if known := self._sessions.known_basic(header):
            return known
        try:
            given = request.authorization
        except ValueError:  # werkzeug: bytes that are no ASCII
            given = None
        if given is None:
            raise Unauthorized("The Authorization header must be HTTP Basic.")
        user = self._checked(request, given.username or "", given.password or "")
        if user is None:
            raise Unauthorized("Wrong user or password.")
        self._sessions.remember_basic(header, user)
        return user

    def _checked(self, request: Request, name: str, password: str) -> str | None:
        """The user's name if the password is right."""
        client = request.remote_addr or ""
        if wait := self._throttle.admit(client):
            raise TooManyRequests(f"Too many tries; wait {wait:.0f} s.", retry_after=max(1, round(wait)))
        user = self._rules.credentials.check(name, password)
        if user is not None:
            self._throttle.succeeded(client)
        return user

    def _login(self, request: Request) -> Response:
        if request.method == "POST":
            _require_from_here(request)
            request.max_content_length = LARGEST_FORM
            form = request.form
            return self._enter(request, form.get("user", ""), form.get("password", ""), form.get("next", "/"))
        if request.method not in READING:
            raise MethodNotAllowed(["GET", "HEAD", "POST"], "Log in by the form.")
        return self._page(request.args.get("next", "/"))

    def _logout(self, request: Request) -> Response:
        if request.method != "POST":
            return redirect("/", 303)
        _require_from_here(request)
        self._sessions.end(request.cookies.get(_cookie_name(request), ""))
        answer = redirect("/login", 303)
        answer.delete_cookie(_cookie_name(request), httponly=True, samesite="Strict", secure=request.is_secure)
        return answer

    def _enter(self, request: Request, name: str, password: str, target: str) -> Response:
        try:
            user = self._checked(request, name, password)
        except TooManyRequests as refusal:
            if not wants_page(request):
                raise
            page = self._page(target, refusal.description or "", 429)
            page.retry_after = refusal.retry_after
            return page
        if user is None:
            what = "token" if self._rules.credentials.token else "user or password"
            return self._page(target, f"Wrong {what}.", 403)
        answer = redirect(_local(target), 303)
        answer.set_cookie(
            _cookie_name(request),
            self._sessions.issue(user),
            max_age=LIFETIME,
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )
        return answer

    def _page(self, target: str, message: str = "", status: int = 200) -> Response:
        by_token = self._rules.credentials.token is not None
        return rendered("login.html", status, title="Log in", target=_local(target), by_token=by_token, message=message)


def _require_from_here(request: Request) -> None:
    """One of our own pages, or a program that shows its password, sent this (OWASP: CSRF, origin check)."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is not None:
        ours = origin.partition("://")[2].lower() == request.headers.get("Host", "").lower()
    else:
        ours = site is not None or "Authorization" in request.headers
    if not ours or site not in {None, "same-origin"}:
        raise Forbidden(NOT_FROM_HERE)


def _local(target: str) -> str:
    """Where a login may lead: a path of this dashboard, "/" where it is none."""
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if plain else "/"


def _cookie_name(request: Request) -> str:
    """Cookies know no ports: two dashboards on one machine must not log each other out."""
    return f"amnl_tune_{request.environ['SERVER_PORT']}"
