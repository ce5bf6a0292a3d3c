"""Sessions: a random number in a signed cookie, which no script and no other site can use."""

import secrets
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadSignature, TimestampSigner

COOKIE = "voxsight_session"
LONGEST_S = 12 * 3600  # that a session lasts


class Sessions:
    """Makes and reads the cookies of sessions; the key to sign them is this process's own."""

    def __init__(self) -> None:
        self._signer = TimestampSigner(secrets.token_bytes(32), salt=COOKIE)

    def read(self, cookies: str) -> str | None:
        """The session that a ``Cookie`` header names; None without one that is valid."""
        try:
            jar = SimpleCookie(cookies)
            return self._signer.unsign(jar[COOKIE].value, max_age=LONGEST_S).decode()
        except (BadSignature, CookieError, KeyError, UnicodeError):
            return None

    def new(self) -> str:
        """A session that nobody can guess."""
        return secrets.token_urlsafe(24)

    def cookie(self, session: str, secure: bool) -> str:
        """The ``Set-Cookie`` header for a session; `secure` if the request came by TLS."""
        value = self._signer.sign(session).decode()
        return (f"{COOKIE}={value}; Path=/; Max-Age={LONGEST_S}; HttpOnly; SameSite=Strict"
                + ("; Secure" if secure else ""))
