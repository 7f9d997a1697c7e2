"""Optuna's own application: under a path prefix, which it does not know of, and with a word on who is looking."""

import gzip
import hashlib
import html
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import optuna_dashboard

from amnl_tune.dashboard.guard import USER
from amnl_tune.dashboard.http import Answer, Environ, StartResponse, WsgiApp, answered, here, wants_page
from amnl_tune.errors import ConfigurationError

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "style-src 'self' 'unsafe-inline'",
        "script-src 'self' 'unsafe-eval'",  # plotly's WebGL figures compile their shaders' glue (stock: _app.py)
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ]
)

SCRIPT = "/static/bundle.js"
ADDRESSES = (
    (re.compile(r'(?<=url_prefix:")(?=/dashboard")'), 1),
    (re.compile(r"(?<=`)(?=\$\{this\.baseURL\}/api/)"), 20),
    (re.compile(r"(?<=`)(?=/csv/\$\{)"), 1),
    (re.compile(r"(?<=`)(?=/artifacts/\$\{)"), 1),
)
"""Where the stock script begins an address, and in how many places at least; looked up in 0.21.0."""

STYLE = """
<style>
#amnl-bar { position: fixed; right: 16px; top: 0; height: 56px; z-index: 1300; display: flex; gap: .8em;
  align-items: center; font: 14px/1 system-ui, sans-serif; color: #fff; }
#amnl-bar button { font: inherit; color: inherit; background: none; border: 1px solid #fff9; border-radius: 4px;
  padding: .45em .8em; cursor: pointer; }
#amnl-bar button:hover, #amnl-bar button:focus-visible { background: #fff3; }
table:not([class]) :is(td, th) { text-align: left; vertical-align: top; padding: .15em 1em .15em 0; }
@media (min-width: 600px) { #amnl-bar { height: 64px; right: 24px; } }
@media (max-width: 599px) {
  #amnl-bar span { display: none; }
  main { overflow-x: auto; }
  main .MuiGrid-root > .MuiGrid-root { width: 100%; max-width: 100%; flex-basis: 100%; }
  main .MuiCardContent-root > .MuiBox-root { flex-wrap: wrap; row-gap: 8px; }
}
@media print { #amnl-bar { display: none; } }
</style>
"""
"""The bar in the stock pages' head line, room in notes' tables, and one column on a phone."""

READ_ONLY_STYLE = """
<style>
#dashboard button:is([aria-label="rename study"], [aria-label="delete study"], [aria-label="delete artifact"],
  [aria-label="skip trial"], [type="submit"]),
#dashboard button:has([data-testid="AddBoxIcon"], [data-testid="EditIcon"], [data-testid="StopCircleIcon"]) {
  display: none; }
</style>
"""
"""Without the buttons that would be refused: new study, rename, delete, edit a note, fail or tell a trial (looked up
in 0.21.0)."""


def stock_pages(app: WsgiApp, prefix: str, *, allow_edits: bool) -> WsgiApp:
    """The stock application, its pages and addresses as they must be under `prefix` ("" for none)."""
    script = prefixed_script(prefix) if prefix else None

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")  # the stock routes take it for granted
        if script and environ["PATH_INFO"] == SCRIPT:
            return script(environ, start_response)
        if environ["PATH_INFO"].startswith(("/static/", "/api/", "/csv/")):
            return app(environ, start_response)
        for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE"):
            environ.pop(name, None)  # the page is not the file that they speak of
        answer = answered(app, environ)
        return _adapted(environ, answer, allow_edits)(environ, start_response)

    return application


def _adapted(environ: Environ, answer: Answer, allow_edits: bool) -> Answer:
    headers = {n: v for n, v in answer.headers.items() if n.lower() not in {"last-modified", "etag", "accept-ranges"}}
    if "Location" in headers:
        headers["Location"] = here(environ, urlsplit(headers["Location"]).path)
    if not headers.get("Content-Type", "").startswith("text/html"):
        return Answer(answer.status, answer.body, headers)
    page = re.sub(r'\b(src|href|action)="/', rf'\1="{here(environ, "/")}', answer.body.decode())
    if answer.status == HTTPStatus.OK:
        icon = f'<link rel="icon" href="{here(environ, "/favicon.ico")}">'
        page = page.replace("</head>", f"{icon}</head>").replace("</body>", f"{_bar(environ, allow_edits)}</body>")
    elif not wants_page(environ):
        headers["Content-Type"] = "text/plain; charset=utf-8"
        page = f"{HTTPStatus(answer.status).phrase}\n"
    return Answer(answer.status, page.encode(), headers | {"Content-Security-Policy": POLICY})


def _bar(environ: Environ, allow_edits: bool) -> str:
    mode = "edits allowed" if allow_edits else "read-only: changes need --allow-edits"
    user = html.escape(environ.get(USER) or "")
    return (
        f"{STYLE}{'' if allow_edits else READ_ONLY_STYLE}"
        f'<form id="amnl-bar" method="post" action="{here(environ, "/logout")}">'
        f"<span>{user} · {mode}</span><button>Log out</button></form>"
    )


def prefixed_script(prefix: str) -> WsgiApp:
    """The stock script with its addresses under `prefix`, gzipped once.

    Raises:
        ConfigurationError: the installed optuna-dashboard writes its addresses in another way.
    """
    text = (Path(optuna_dashboard.__file__).parent / "public" / "bundle.js").read_text()
    for address, fewest in ADDRESSES:
        text, found = address.subn(prefix, text)
        if found < fewest:
            raise ConfigurationError(
                f"`--prefix` needs an optuna-dashboard whose addresses are known, but in the installed one "
                f"{address.pattern} occurs {found} times; install that of constraints.txt, or leave it out"
            )
    plain = text.encode()
    packed = gzip.compress(plain, compresslevel=6, mtime=0)
    tag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = {"ETag": tag, "Vary": "Accept-Encoding", "Content-Type": "text/javascript; charset=utf-8"}
        if environ.get("HTTP_IF_NONE_MATCH") == tag:
            return Answer(HTTPStatus.NOT_MODIFIED, b"", headers)(environ, start_response)
        if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
            return Answer(body=plain, headers=headers)(environ, start_response)
        return Answer(body=packed, headers=headers | {"Content-Encoding": "gzip"})(environ, start_response)

    return application
