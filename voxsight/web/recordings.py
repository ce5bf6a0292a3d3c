"""Recordings that visitors of the page ask about, each known to its session alone.

They are held in memory, and forgotten when their visitor says so or does not ask any longer.
"""

import os
import secrets
import shutil
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from voxsight.web.answering import Answerer, Heard, Stopped, Task, page_row
from voxsight.web.limits import MIB, Limits
from voxsight.web.refusals import Refusal, too_many
from voxsight.web.uploads import Upload

# How files of the formats that can be answered begin, and the ending of a kept one.
BEGINNINGS = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"),
              (b"\x1a\x45\xdf\xa3", ".webm"))


class HeldRecording:
    """A recording and what was heard in it.

    Attributes
    ----------
    upload : Upload
    task : Task
    heard : Heard or None
        None until it is done.
    error : str
        Why it failed; empty if it did not.
    sound, heat_map : bytes or None
        None until somebody asked for them.
    """

    def __init__(self, session: str, upload: Upload) -> None:
        self.session, self.upload, self.task = session, upload, Task()
        self.heard: Heard | None = None
        self.error = ""
        self.sound: bytes | None = None
        self.heat_map: bytes | None = None
        self.asked_at = time.monotonic()

    def answered(self, future: "Future[Heard]") -> None:
        """Take what came of it."""
        error = future.exception()
        if isinstance(error, Stopped) or self.task.is_stopped:
            self.task.state = "stopped"
        elif error is not None:
            self.error = error.words if isinstance(error, Refusal) else "it could not be answered"
            self.task.state = "failed"
        else:
            self.heard = future.result()
            self.error = self.heard.prediction.error
            self.task.state = "failed" if self.error else "done"

    @property
    def can_be_explained(self) -> bool:
        """Whether there is something to draw."""
        return bool(self.heard and self.heard.n_windows
                    and self.heard.prediction.p_female is not None)

    def to_dict(self) -> dict[str, Any]:
        """What the page is told."""
        heard = self.heard
        return {"state": self.task.state, "name": self.upload.name,
                "heard_s": round(self.task.heard_s, 2), "stated_s": round(self.task.stated_s, 2),
                "row": page_row(heard) if heard else None, "error": self.error,
                "segments": heard.segments if heard else [],
                "voices": heard.voices if heard else [], "explained": self.can_be_explained}


class Recordings:
    """All recordings that visitors ask about.

    Parameters
    ----------
    answerer : Answerer
    limits : Limits
    """

    def __init__(self, answerer: Answerer, limits: Limits) -> None:
        self._answerer, self._limits = answerer, limits
        self._held: dict[str, HeldRecording] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, session: str, upload: Upload) -> str:
        """Have a recording answered; its id.

        Raises
        ------
        Refusal
            If the session has too many already, or too many wait.
        """
        held, id_ = HeldRecording(session, upload), secrets.token_urlsafe(16)
        with self._lock:
            if sum(one.session == session for one in self._held.values()) >= (
                    self._limits.recordings):
                raise too_many(f"found {self._limits.recordings} recordings of yours, expected "
                               "fewer; remove some", 10)
            self._held[id_] = held
        try:
            future = self._answerer.submit(upload, held.task)
        except Refusal:
            with self._lock:
                del self._held[id_]
            raise
        future.add_done_callback(held.answered)
        return id_

    def of(self, session: str, id_: str) -> HeldRecording:
        """A recording of a session.

        Raises
        ------
        Refusal
            If there is none of that id, or it belongs to another one.
        """
        held = self._held.get(id_)
        if held is None or not secrets.compare_digest(held.session.encode(), session.encode()):
            raise Refusal(404, "found no such recording, expected one of this session; add it "
                               "again")
        held.asked_at = time.monotonic()
        return held

    def forget(self, id_: str) -> None:
        """Stop the answer and forget everything of a recording."""
        with self._lock:
            held = self._held.pop(id_, None)
        if held is not None:
            held.task.stop()
            held.heard = held.sound = held.heat_map = None
            held.upload.close()

    def forget_old(self) -> None:
        """Forget those that nobody asked about for a while."""
        now = time.monotonic()
        for id_, held in list(self._held.items()):
            if now - held.asked_at > self._limits.idle_s:
                self.forget(id_)

    def forget_all(self) -> None:
        """Forget every recording."""
        for id_ in list(self._held):
            self.forget(id_)


class Keeper:
    """Stores recordings in a folder that may hold so much.

    Parameters
    ----------
    folder : str or os.PathLike
    limits : Limits
    """

    def __init__(self, folder: str | os.PathLike, limits: Limits) -> None:
        self.folder, self._limits, self._lock = Path(folder), limits, threading.Lock()

    def keep(self, content: bytes) -> Path:
        """Store a recording under the time of day; its path.

        Raises
        ------
        Refusal
            If the folder or the disk is full.
        """
        with self._lock:
            try:
                return self._stored(content)
            except OSError as error:
                raise Refusal(507, f"could not keep it ({error.strerror}), expected a folder to "
                                   "write to; download it instead") from error

    def _stored(self, content: bytes) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        sizes = [entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file()]
        room = min(self._limits.kept_bytes - sum(sizes), shutil.disk_usage(self.folder).free // 2)
        if len(sizes) >= self._limits.kept_files or len(content) > room:
            raise Refusal(507, f"found {len(sizes)} recordings of {sum(sizes) // MIB} MB kept, "
                               "expected fewer; have some of them removed")
        ending = next((end for start, end in BEGINNINGS if content.startswith(start)), ".sound")
        base, number = time.strftime("web_%Y%m%d_%H%M%S"), 1
        while True:
            path = self.folder / f"{base}_{number}{ending}"
            try:
                with open(path, "xb") as file:
                    file.write(content)
                return path
            except FileExistsError:
                number += 1
