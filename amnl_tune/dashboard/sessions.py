"""Who has logged in, and how often one may try. Sessions are signed, so that any process with the secret knows them."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from itsdangerous import BadData, URLSafeTimedSerializer

from amnl_tune.dashboard.credentials import Credentials

LIFETIME = 12 * 3600
"""Seconds from the login: a working day."""

BASIC_LIFETIME = 300.0
"""Seconds for which a program's user and password are taken without hashing them again."""

FREE_TRIES = 5
LONGEST_WAIT = 60.0
"""Seconds. Longer ones would help somebody who wants to lock others out."""

MOST_CLIENTS = 10_000


class Sessions:
    """Issues and knows sessions: a user's name, a nonce and a digest of what the login depended on, signed."""

    def __init__(self, credentials: Credentials, secret: bytes) -> None:
        self._credentials = credentials
        self._secret = secret
        signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._signer = URLSafeTimedSerializer(secret, salt="amnl-tune session", signer_kwargs=signing)
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._basic: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def issue(self, user: str) -> str:
        """A new session of a user whose password was right."""
        return self._signer.dumps([user, secrets.token_urlsafe(9), self._stamp(user)])

    def user_of(self, session: str) -> str | None:
        """Whose valid session it is; None if it is forged, over, ended, or of somebody who is no user any more."""
        return self._read(session)[0]

    def end(self, session: str) -> None:
        """Logs out: the session is worth nothing any more, wherever a copy of it may be."""
        user, nonce = self._read(session)
        if user is None:
            return
        with self._lock:
            self._ended[nonce] = time.time() + LIFETIME
            while next(iter(self._ended.values())) < time.time():
                self._ended.popitem(last=False)

    def known_basic(self, header: str) -> str | None:
        """The user of an Authorization header that was right a short while ago."""
        with self._lock:
            user, until = self._basic.get(self._digest(header.encode()), ("", 0.0))
            return user if until > time.time() else None

    def remember_basic(self, header: str, user: str) -> None:
        """Hashing a password takes a tenth of a second and more; a program sends it with every request."""
        with self._lock:
            self._basic[self._digest(header.encode())] = (user, time.time() + BASIC_LIFETIME)
            while len(self._basic) > MOST_CLIENTS:
                self._basic.popitem(last=False)

    def _read(self, session: str) -> tuple[str | None, str]:
        """User and nonce: a signature has several spellings in Base64, so that the text names no session."""
        try:
            user, nonce, stamp = self._signer.loads(session, max_age=LIFETIME)
        except BadData:
            return None, ""
        known = self._stamp(user)
        with self._lock:
            valid = bool(known) and hmac.compare_digest(stamp, known) and nonce not in self._ended
        return (user if valid else None), nonce

    def _stamp(self, user: str) -> str:
        """Another one when the user's password or the token is another; "" if there is no such user."""
        secret = self._credentials.stamp(user)
        return self._digest(secret).hex() if secret else ""

    def _digest(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, "sha256")


class Throttle:
    """Tries of one client: some are free, then each waits twice as long as the one before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, client: str) -> float:
        """Counts a try; 0.0 if it may be made, else the seconds to wait.

        It counts before it is known to fail, so that many tries at once are many tries.
        """
        with self._lock:
            now = self._clock()
            tries, until = self._tries.pop(client, (0, 0.0))
            if until > now:
                self._tries[client] = (tries, until)
                return until - now
            if until and now - until > LONGEST_WAIT:
                tries = 0
            tries += 1
            wait = min(LONGEST_WAIT, 2.0 ** (tries - FREE_TRIES)) if tries >= FREE_TRIES else 0.0
            self._tries[client] = (tries, now + wait)
            while len(self._tries) > MOST_CLIENTS:
                self._tries.popitem(last=False)
            return 0.0

    def succeeded(self, client: str) -> None:
        """Forgets the client's tries."""
        with self._lock:
            self._tries.pop(client, None)
