"""Who has logged in, and how often one may try. Sessions are signed, so that any process with the secret knows them."""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

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
    """Issues and knows sessions: `user.expiry.nonce.signature`, keyed by the secret and the user's own hash."""

    def __init__(self, credentials: Credentials, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._secret = secret
        self._clock = clock
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._basic: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def issue(self, user: str) -> str:
        """A new session of a user whose password was right."""
        name = base64.urlsafe_b64encode(user.encode()).rstrip(b"=").decode()
        content = f"{name}.{int(self._clock()) + LIFETIME}.{secrets.token_urlsafe(9)}"
        return f"{content}.{self._signature(content, user)}"

    def user_of(self, session: str) -> str | None:
        """Whose valid session it is; None if it is forged, over, ended, or of somebody who is no user any more."""
        content, _, signature = session.rpartition(".")
        try:
            name, expiry, _ = content.split(".")
            user = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
            valid = hmac.compare_digest(signature.encode(), self._signature(content, user).encode())
            fresh = valid and int(expiry) > self._clock()
        except (ValueError, binascii.Error):
            return None
        with self._lock:
            return user if fresh and session not in self._ended else None

    def end(self, session: str) -> None:
        """Logs out: the session is worth nothing any more, wherever a copy of it may be."""
        if self.user_of(session) is None:
            return
        with self._lock:
            now = self._clock()
            self._ended[session] = now + LIFETIME
            while self._ended and next(iter(self._ended.values())) < now:
                self._ended.popitem(last=False)

    def known_basic(self, header: str) -> str | None:
        """The user of an Authorization header that was right a short while ago."""
        with self._lock:
            user, until = self._basic.get(self._digest(header), ("", 0.0))
            return user if until > self._clock() else None

    def remember_basic(self, header: str, user: str) -> None:
        """Hashing a password takes a tenth of a second and more; a program sends it with every request."""
        with self._lock:
            self._basic[self._digest(header)] = (user, self._clock() + BASIC_LIFETIME)
            while len(self._basic) > MOST_CLIENTS:
                self._basic.popitem(last=False)

    def _digest(self, header: str) -> bytes:
        return hmac.digest(self._secret, header.encode(), "sha256")

    def _signature(self, content: str, user: str) -> str:
        stamp = self._credentials.stamp(user)
        if stamp is None:
            raise ValueError(user)
        key = hmac.digest(self._secret, stamp, "sha256")
        return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()


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
