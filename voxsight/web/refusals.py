"""Refusals of requests, in words and with the status that fits."""

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse

CLOSE = {"Connection": "close"}  # of what did not arrive as a whole


class Refusal(Exception):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    words : str
        One sentence: what was found, what is expected, what to do.
    retry_after_s : float, optional
        When to ask again.
    headers : mapping, optional
        Further ones of the response.
    """

    def __init__(self, status: int, words: str, retry_after_s: float | None = None,
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status, self.words, self.headers = status, words, dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))

    def response(self) -> JSONResponse:
        """What the client is told."""
        return JSONResponse({"error": self.words}, self.status, self.headers)


def too_many(words: str, retry_after_s: float) -> Refusal:
    """A client asks for more than its share."""
    return Refusal(429, words, retry_after_s)


def too_busy(words: str, retry_after_s: float) -> Refusal:
    """All clients together ask for more than there is."""
    return Refusal(503, words, retry_after_s)


def failure() -> Refusal:
    """Something went wrong here; what is on the terminal only."""
    return Refusal(500, "something failed here, expected an answer; try again, or with another "
                        "file")
