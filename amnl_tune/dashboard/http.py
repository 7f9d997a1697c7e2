"""The little of WSGI (PEP 3333) that we need: an answer, the parts of a request, another application's answer."""

import html
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

LARGEST_FORM = 4096
"""Bytes of a login form."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; calling it sends it."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        line = f"{int(self.status)} {HTTPStatus(self.status).phrase}"
        headers = {"Content-Type": "text/plain; charset=utf-8"} | self.headers | {"Content-Length": str(len(self.body))}
        start_response(line, list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def explained(environ: Environ, status: HTTPStatus, why: str, **headers: str) -> Answer:
    """A refusal in the client's language: JSON as the stock pages read it, HTML for a browser's page, else text."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if environ["PATH_INFO"].startswith("/api/"):
        return Answer(status, json.dumps({"reason": why}).encode(), {"Content-Type": "application/json"} | named)
    if wants_page(environ):
        body = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
            f'<meta name="viewport" content="width=device-width"><title>{status.phrase}</title>'
            f'<p>{html.escape(why)}</p><p><a href="{here(environ, "/")}">To the studies</a></p></html>'
        )
        return Answer(status, body.encode(), {"Content-Type": "text/html; charset=utf-8"} | named)
    return Answer(status, f"{why}\n".encode(), named)


def redirected(environ: Environ, path: str, **headers: str) -> Answer:
    """To a path of this dashboard, perhaps with a query, by GET. A header has ASCII alone: the rest is quoted."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    location = quote(here(environ, path), safe="/?&=#%:;,+@!$'()*~-._")
    return Answer(HTTPStatus.SEE_OTHER, b"", {"Location": location} | named)


def here(environ: Environ, path: str) -> str:
    """A path of this dashboard as the browser has to ask for it."""
    return f"{environ.get('SCRIPT_NAME', '')}{path}"


def wants_page(environ: Environ) -> bool:
    """A person is looking, not a program."""
    return "text/html" in environ.get("HTTP_ACCEPT", "")


def query_of(environ: Environ) -> dict[str, str]:
    """The query's values; of repeated ones the last."""
    return {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}


def form_of(environ: Environ) -> dict[str, str]:
    """An urlencoded form's values; empty if it is none, or too long."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST_FORM:
        return {}
    text = environ["wsgi.input"].read(length).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def answered(app: WsgiApp, environ: Environ) -> Answer:
    """Another application's whole answer, to be changed before it is sent."""
    told: list[Any] = []
    parts: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        told[:] = [int(status.split(" ", 1)[0]), dict(headers)]
        return parts.append

    reading = {"REQUEST_METHOD": "GET"} if environ["REQUEST_METHOD"] == "HEAD" else {}
    chunks = app(environ | reading, start_response)
    try:
        parts.extend(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return Answer(told[0], b"".join(parts), {n: v for n, v in told[1].items() if n.lower() != "content-length"})


def path_with_query(environ: Environ) -> str:
    """What was asked for, without the prefix."""
    query = environ.get("QUERY_STRING", "")
    return path_of(environ) + (f"?{query}" if query else "")


def path_of(environ: Environ) -> str:
    """The path that was asked for as a URL has it; PEP 3333 hands its bytes on as Latin-1."""
    return quote(environ["PATH_INFO"].encode("latin-1"))
