"""What the service grants to a visitor, and to all visitors together."""

import dataclasses

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of the service; those of time are in seconds.

    Attributes
    ----------
    file_bytes, client_bytes, total_bytes : int
        Of one upload, and of what is held in memory for one client and for all of them.
    longest_s, short_s : float
        The longest recording that is answered, and the longest that need not wait with the
        long ones.
    waiting, client_waiting : int
        Recordings in a queue, of all clients and of one.
    short_wall_s, long_wall_s : float
        Within which a recording has to be answered.
    requests_per_s, burst : float
        Requests that make work, of one client: how many a second, and how many at once.
    body_s, head_s, send_s : float
        Within which a request has to arrive, its head as well, and a part of the response has
        to be taken.
    idle_s : float
        A recording that nobody asked about for so long is forgotten.
    recordings : int
        Of one session on the page.
    live, client_live : int
        Microphones listened to at once, of all clients and of one.
    live_s : float
        The longest that a microphone is listened to.
    kept_files, kept_bytes : int
        What the folder of kept recordings may hold.
    """

    file_bytes: int = 25 * MIB
    client_bytes: int = 128 * MIB
    total_bytes: int = 384 * MIB
    longest_s: float = 3 * 3600.0
    short_s: float = 120.0
    waiting: int = 256
    client_waiting: int = 64
    short_wall_s: float = 60.0
    long_wall_s: float = 1800.0
    requests_per_s: float = 2.0
    burst: float = 60.0
    body_s: float = 60.0
    head_s: float = 10.0
    send_s: float = 60.0
    idle_s: float = 600.0
    recordings: int = 50
    live: int = 8
    client_live: int = 2
    live_s: float = 3600.0
    kept_files: int = 500
    kept_bytes: int = 2**30


FOR_OTHERS = Limits()
# Whoever is alone on the machine may ask as fast as it answers.
FOR_ONESELF = Limits(requests_per_s=200.0, burst=2000.0)
