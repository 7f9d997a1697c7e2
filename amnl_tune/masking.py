"""URLs and messages without the secrets in them: what is printed, logged, stored or put into a manifest passes here.

A URL is hidden by what may be shown, not by what may not: a password may stand before the `@`, in the query, behind a
mistyped scheme, with characters of its own (`@`, `/`, `?`, `#`) that nobody encoded. Where it cannot be told what is
part of a secret, too much is hidden.
"""

import re
from urllib.parse import unquote, unquote_plus

HIDDEN = "***"
TEMPLATE = "USER:PASSWORD"
"""In remedies: it stands for itself."""

SCHEME = re.compile(r"(?:[A-Za-z][\w+.-]*:)?/*")
USERS = frozenset({"postgresql", "postgres", "mysql", "mariadb", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs",
                   "abfs", "abfss", "wasb", "wasbs"})  # fmt: skip
"""Schemes whose URLs have a user's or a container's name before the `@`. In others, a name alone is often a token."""

FOLDERS = frozenset({"sqlite", "file", "local", "memory"})
"""Schemes whose URLs have nothing but a path, in which `@`, `:` and `#` are characters like any other."""

PATHS = ("/", ".", "~")
SHOWN = frozenset({"application_name", "cache", "channel_binding", "client_encoding", "connect_timeout", "dbname",
                   "gssencmode", "host", "hostaddr", "keepalives", "mode", "nolock", "port", "region", "sslcert",
                   "sslkey", "sslmode", "sslrootcert", "target_session_attrs", "timeout", "uri", "user"})  # fmt: skip
"""Parameters of a query whose values are shown."""

SECRET = "passw(?:or)?d|passphrase|passcode|pwd|secret|token|api_?key|access_?key|credential|signature"
NAMED = re.compile(rf"""(?ix)
    (?P<name> (?<![\w.-]) [\w.-]*(?:{SECRET})[\w.-]* (?: \s?=\s? | ['"]\s*[:=]\s*) )
    (?P<value> '(?:[^'\\]|\\.)*'(?!\w) | "(?:[^"\\]|\\.)*"(?!\w) | \S+?(?=[,;)}}\]'"]*(?:\s|$)) )""")
"""`password=x`, `password='x'`, `"password": "x"` in a text."""

HEADER = re.compile(r"(?i)\b((?:basic|bearer)\s+)[\w.~+/=-]{8,}")
WORD = re.compile(
    rf"""(?!{"|".join(sorted(FOLDERS))})[A-Za-z][\w+.-]*://(?:(?!://)\S)*@[^\s'"`<>(]*"""  # of a password's own quotes
    r"""|[^\s'"`<>(]+"""
)
SHORTEST = 4
"""Characters from which a known secret is looked for in a text: shorter ones stand in every text."""


def masked(url: str) -> str:
    """A URL, well-formed or not, without what may be a secret; a path as it is. Masking twice changes nothing."""
    head, scheme, rest = _split(url)
    if scheme in FOLDERS or url.startswith(PATHS):
        _, at, where = rest.rpartition("@")
        has_host = at and head.endswith("://")  # which none of these schemes has
        return f"{head}{HIDDEN}@{where}" if has_host else head + _named(rest)
    if not scheme:
        rest = _named(rest)
    body, mark, query = _cut(rest)
    authority = body.partition("/")[0]
    if "@" in body and (scheme or ":" in body.rpartition("@")[0]):
        return head + _place(head, scheme, body) + _query(mark, query)
    if mark and "@" in query and not _is_query(query):
        return head + HIDDEN  # a password with a `?` or `#` in it
    if scheme and "//" in head and not _is_host(authority):
        host = authority.partition(":")[0]  # a password where the port belongs: the host was forgotten
        body = f"{host}:{HIDDEN}{body[len(authority) :]}"
    return head + body + _query(mark, query)


def without_secrets(text: str, *urls: str) -> str:
    """A message without the URLs' secrets in it, and without those of `urls`, in whatever form it repeats them."""
    for secret in sorted({secret for url in urls for secret in _secrets(url)}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return HEADER.sub(rf"\1{HIDDEN}", _named(WORD.sub(lambda word: _word(word[0]), text)))


def has_stray_at(url: str) -> bool:
    """Whether a server's URL has an `@` of the password in it, which a driver takes for the one before the host."""
    _, scheme, rest = _split(url)
    return scheme not in FOLDERS and _cut(rest)[0].count("@") > 1


def _split(url: str) -> tuple[str, str, str]:
    """The scheme as written, the scheme without driver, the rest."""
    head = SCHEME.match(url)[0]  # type: ignore[index]  # it matches anything
    return head, head.partition(":")[0].partition("+")[0].lower() if ":" in head else "", url[len(head) :]


def _cut(rest: str) -> tuple[str, str, str]:
    """What is before the query or fragment, its mark, and what follows."""
    mark = re.search(r"[?#]", rest)
    return (rest[: mark.start()], mark[0], rest[mark.end() :]) if mark else (rest, "", "")


def _place(head: str, scheme: str, body: str) -> str:
    """A body with an `@`: who and where."""
    who, _, where = body.rpartition("@")
    authority = body.partition("/")[0]
    if "@" not in authority and ":" not in authority and "//" in head:
        return body  # it is part of the path
    if who == TEMPLATE:
        return body
    name, colon, _ = who.partition(":")
    if scheme not in USERS or not head.endswith("://") or "/" in name:
        return f"{HIDDEN}@{where}"
    return f"{name}:{HIDDEN}@{where}" if colon else body


def _query(mark: str, query: str) -> str:
    return mark + "&".join(_parameter(part) for part in re.split("[&;]", query)) if query else mark


def _parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals or not re.fullmatch(r"[\w.-]+", name):
        return HIDDEN if part else part
    return part if name in SHOWN and "@" not in value and "#" not in value else f"{name}={HIDDEN}"


def _is_query(query: str) -> bool:
    return all("=" in part for part in query.split("&") if "@" in part)


def _is_host(authority: str) -> bool:
    """One host or several, each with a port that is a number."""
    one = r"(\[[\da-fA-F:.]*\]|[^:\[\]]*)(:\d{0,5})?"
    return all(re.fullmatch(one, host) for host in authority.split(","))


def _word(word: str) -> str:
    """A URL in a text, with the punctuation that follows it."""
    bare = word.rstrip(".,;:)]}")
    before_at = bare.partition("@")[0]
    if "://" in bare or ("@" in bare and ":" in before_at and not bare.startswith(PATHS)):
        return masked(bare) + word[len(bare) :]
    path, mark, query = word.partition("?")
    return path + _query(mark, query) if path.startswith("/") and "=" in query else word  # one without its host


def _named(text: str) -> str:
    return NAMED.sub(lambda found: f"{found['name']}{_quoted(found['value'])}", text)


def _quoted(value: str) -> str:
    quote = value[0] if value[0] in "'\"" else ""
    return f"{quote}{HIDDEN}{quote}"


def _secrets(url: str) -> set[str]:
    """What is hidden of a URL, as written and as a driver decodes it; nothing that is shown of it too."""
    shown, (_, _, rest) = masked(url), _split(url)
    if shown == url:
        return set()
    _, _, query = _cut(rest)
    found = {part.partition("=")[2] for part in re.split("[&;]", query) if _parameter(part) != part}
    if "@" in rest:
        who = rest.rpartition("@")[0]
        found |= {who.partition(":")[2] or who}
    found |= {decoded(secret) for secret in found for decoded in (unquote, unquote_plus)}
    return {secret for secret in found if len(secret) >= SHORTEST and secret not in shown}
