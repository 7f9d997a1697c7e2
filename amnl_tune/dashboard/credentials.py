"""Who may look: users with hashed passwords, or whoever knows the token printed at the start.

A line of a credentials file is `USER:scrypt.N.R.P.SALT.HASH`, without `$`, which compose files would take for a
variable. N, r, p: OWASP's Password Storage Cheat Sheet, scrypt, the row with the least memory but one (16 MiB).
"""

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from itsdangerous.encoding import base64_decode, base64_encode

from amnl_tune.errors import ConfigurationError

COST, BLOCK, PARALLEL = 2**14, 8, 5
MEMORY = 64 * 2**20
"""Bytes; OpenSSL's own limit is 32 MiB."""

SHORTEST_PASSWORD = 8
"""Characters (NIST SP 800-63B, 5.1.1.1)."""

USER = re.compile(r"[A-Za-z0-9._@-]{1,64}")
TOKEN_USER = "local"
REMEDY = "make lines with `amnl-tune dashboard --hash-password`"


@dataclass(frozen=True)
class Credentials:
    """Hashes by user, or one token.

    Attributes:
        hashes: `scrypt.N.R.P.SALT.HASH` by user; empty if there is a token.
        token: of the one user `local`.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)

    def check(self, user: str, password: str) -> str | None:
        """The user's name if the password is right. An unknown user takes as long as a wrong password."""
        if self.token is not None:
            return TOKEN_USER if hmac.compare_digest(self.token.encode(), password.encode()) else None
        return user if _matches(self.hashes.get(user, NOBODY), password) and user in self.hashes else None

    def stamp(self, user: str) -> bytes | None:
        """What a session of the user depends on: it ends with the password. None if there is no such user."""
        if self.token is not None:
            return self.token.encode() if user == TOKEN_USER else None
        known = self.hashes.get(user)
        return known.encode() if known else None


def token_credentials() -> Credentials:
    """A new token of 192 random bits."""
    return Credentials(token=secrets.token_urlsafe(24))


def credentials_line(user: str, password: str) -> str:
    """A line of a credentials file.

    Raises:
        ConfigurationError: the user's name cannot be written, or the password is too short.
    """
    if not USER.fullmatch(user):
        raise ConfigurationError(
            f"A user must be 1 to 64 letters, digits, or any of . _ @ -, but got {user!r}; choose another name"
        )
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigurationError(
            f"A password must have {SHORTEST_PASSWORD} characters or more, but got {len(password)}; choose a longer one"
        )
    salt = secrets.token_bytes(16)
    return f"{user}:scrypt.{COST}.{BLOCK}.{PARALLEL}.{_text(salt)}.{_text(_hash(password, salt))}"


def parse_credentials(text: str, source: str) -> Credentials:
    """Users from lines; blank lines and those that start with `#` say nothing.

    Args:
        text: lines, or one line with spaces between users, as an environment variable has it.
        source: the text's name in messages; what is in a wrong line is never told.

    Raises:
        ConfigurationError: a line is no `USER:scrypt....`, a user comes twice, or there is none.
    """
    hashes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        for word in [] if line.lstrip().startswith("#") else line.split():
            user, _, hashed = word.partition(":")
            if not USER.fullmatch(user) or not _is_hash(hashed):
                raise ConfigurationError(f"{source}:{number} must be USER:scrypt.N.R.P.SALT.HASH, but is not; {REMEDY}")
            if user in hashes:
                raise ConfigurationError(
                    f"{source}:{number}: a user must come once, but {user!r} comes again; delete one of the lines"
                )
            hashes[user] = hashed
    if not hashes:
        raise ConfigurationError(f"{source} must name one user or more, but names none; {REMEDY}")
    return Credentials(hashes)


def _is_hash(text: str) -> bool:
    match = re.fullmatch(r"scrypt\.(\d{1,7})\.(\d{1,2})\.(\d{1,2})\.([\w-]{16,})\.([\w-]{43})", text, re.ASCII)
    if not match or len(match[4]) % 4 == 1:  # no Base64 has that length
        return False
    cost, block, parallel = (int(match[place]) for place in (1, 2, 3))
    is_power = cost > 1 and cost & (cost - 1) == 0
    return is_power and block > 0 and parallel > 0 and 128 * block * (cost + parallel + 2) <= MEMORY


AT_ONCE = threading.Semaphore(2)
"""Hashes under way: guessing must not take all of the machine."""


def _hash(password: str, salt: bytes, cost: int = COST, block: int = BLOCK, parallel: int = PARALLEL) -> bytes:
    with AT_ONCE:
        return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=MEMORY, dklen=32)


def _matches(hashed: str, password: str) -> bool:
    _, cost, block, parallel, salt, expected = hashed.split(".")
    found = _hash(password, base64_decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found, base64_decode(expected))


def _text(value: bytes) -> str:
    return base64_encode(value).decode()


NOBODY = f"scrypt.{COST}.{BLOCK}.{PARALLEL}.{_text(bytes(16))}.{_text(bytes(32))}"
"""No password has it."""
