"""The answer, the level and the picture while a visitor's microphone runs, over a WebSocket.

The client first sends ``{"rate": 48000}``, then blocks of mono float32 samples, little-endian.
For each step it gets a text, ``{"end_s", "peak", "label", "p_female", "reason"}``, and a binary
message: height and width of the newest columns of the picture as two uint16, little-endian, then
its rows from top to bottom, a byte of grey for each pixel. On ``{"keep_s": 10}`` it gets
``{"id": "..."}`` of a recording of the last seconds.
"""

import asyncio
import contextlib
import json
import math
import struct
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from voxsight.answer.live import STEP_S, TRACE_S, Follower, Moment
from voxsight.answer.picture_model import PictureModel
from voxsight.errors import UsageError
from voxsight.pictures import jpeg
from voxsight.sound.recording import MAX_RATE_HZ, MIN_RATE_HZ, Recording
from voxsight.sound.writing import as_wav
from voxsight.web.access import CLIENT, SESSION
from voxsight.web.limits import Limits
from voxsight.web.recordings import Recordings
from voxsight.web.refusals import Refusal
from voxsight.web.uploads import Budget, Upload

NOW_S = 1.5  # of newest sound: another voice is followed in 1.2 s, with 2 s in 1.8 s
PATIENCE_S = 10.0  # without a block the connection is closed
AHEAD_S = 5.0  # of sound that may arrive faster than time passes
LARGEST_MESSAGE = 2**20  # bytes; a second at 192 kHz is less
POLICY, TRY_LATER, UNSUPPORTED = 1008, 1013, 1003  # why a WebSocket is closed


class LiveAnswers:
    """Answers for microphones.

    Parameters
    ----------
    model : PictureModel
    recordings : Recordings
        Takes what a visitor keeps of the sound.
    budget : Budget
    limits : Limits
    """

    def __init__(self, model: PictureModel, recordings: Recordings, budget: Budget,
                 limits: Limits) -> None:
        self._model, self._recordings, self._budget = model, recordings, budget
        self._limits = limits
        self._listening: Counter[str] = Counter()

    async def listen(self, websocket: WebSocket) -> None:
        """Answer until the client leaves."""
        client = websocket.scope[CLIENT]
        await websocket.accept()
        if (self._listening.total() >= self._limits.live
                or self._listening[client] >= self._limits.client_live):
            return await _close(websocket, TRY_LATER, "found too many microphones, expected fewer; "
                                                      "try again later")
        self._listening[client] += 1
        try:
            await self._follow(websocket)
        except _Violation as violation:
            await _close(websocket, violation.code, str(violation))
        except TimeoutError:
            await _close(websocket, POLICY, "found no sound for a while, expected a stream")
        except (WebSocketDisconnect, RuntimeError):  # the client has left
            pass
        finally:
            self._listening[client] -= 1
            self._listening += Counter()
        return None

    async def _follow(self, websocket: WebSocket) -> None:
        async with asyncio.timeout(PATIENCE_S):
            rate = _rate(await _message(websocket))
        follower, loop = Follower(self._model, rate, NOW_S), asyncio.get_running_loop()
        sender = _Sender(websocket, loop, self._model, follower)
        thread = threading.Thread(target=sender.run, name="live", daemon=True)
        thread.start()
        started, n_samples = time.monotonic(), 0
        try:
            while (passed_s := time.monotonic() - started) < self._limits.live_s:
                async with asyncio.timeout(PATIENCE_S):
                    message = await _message(websocket)
                if "bytes" in message:
                    block = _samples(message["bytes"])
                    n_samples += len(block)
                    if n_samples > (passed_s + AHEAD_S) * rate * 1.1:
                        raise _Violation(POLICY, "found sound that is faster than time, expected "
                                                 "a microphone's")
                    follower.put(block)
                else:
                    await self._keep(websocket, follower, _keep_s(message["text"]))
        finally:
            follower.end()
            sender.stop()
            await asyncio.to_thread(thread.join)

    async def _keep(self, websocket: WebSocket, follower: Follower, keep_s: float) -> None:
        samples = follower.newest[-max(1, round(keep_s * follower.rate)):]
        upload = Upload(websocket.scope[CLIENT], self._budget)
        upload.name = "microphone.wav"
        content = as_wav(samples, follower.rate)
        try:
            upload.count(len(content))
            upload.content = content
            id_ = self._recordings.add(websocket.scope[SESSION], upload)
        except Refusal as refusal:
            upload.close()
            await websocket.send_text(json.dumps({"error": refusal.words}))
            return
        await websocket.send_text(json.dumps({"id": id_}))


class _Violation(Exception):
    """What a client sends is not what is expected."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class _Sender:
    """Sends a client its moments, from a thread that waits until each one is sent."""

    def __init__(self, websocket: WebSocket, loop: asyncio.AbstractEventLoop,
                 model: PictureModel, follower: Follower) -> None:
        self._websocket, self._loop = websocket, loop
        self._model, self._follower = model, follower
        self._sending: Any = None
        self._stopped = False

    def run(self) -> None:
        # Sound that pauses or a client that leaves ends it: the connection is watched elsewhere.
        with contextlib.suppress(UsageError, CancelledError, RuntimeError, WebSocketDisconnect):
            for moment in self._follower.moments():
                if self._stopped:
                    return
                columns = self._columns()
                self._sending = asyncio.run_coroutine_threadsafe(
                    self._send(moment, columns), self._loop)
                self._sending.result()

    def stop(self) -> None:
        self._stopped = True
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, moment: Moment, columns: bytes) -> None:
        prediction = moment.prediction
        await self._websocket.send_text(json.dumps({
            "end_s": round(moment.end_s, 3), "peak": round(moment.peak, 4),
            "label": prediction.label, "reason": prediction.reason,
            "p_female": (None if prediction.p_female is None
                         else round(prediction.p_female, 4))}))
        await self._websocket.send_bytes(columns)

    def _columns(self) -> bytes:
        """The newest columns of the picture."""
        recipe, size = self._model.config.recipe, self._model.config.architecture.size
        newest = self._follower.newest[-round((recipe.window_s + STEP_S) * self._follower.rate):]
        samples = Recording.of(newest, self._follower.rate).read(recipe.sample_rate)
        n_samples = round(recipe.window_s * recipe.sample_rate)
        samples = samples[-n_samples:]
        samples = np.pad(samples, (n_samples - len(samples), 0))
        grey = jpeg.as_seen(samples, recipe, size).mean(axis=2).astype(np.uint8)
        columns = grey[:, -max(1, round(grey.shape[1] * STEP_S / recipe.window_s)):]
        return struct.pack("<HH", *columns.shape) + columns.tobytes()


async def _message(websocket: WebSocket) -> dict[str, Any]:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    return {kind: message[kind] for kind in ("bytes", "text") if message.get(kind) is not None}


def _rate(message: dict[str, Any]) -> int:
    rate = _number(message.get("text", ""), "rate")
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise _Violation(UNSUPPORTED, f"found a rate of {rate:g} Hz, expected {MIN_RATE_HZ} to "
                                      f"{MAX_RATE_HZ} Hz")
    return round(rate)


def _keep_s(text: str) -> float:
    return min(max(_number(text, "keep_s"), 0.1), TRACE_S)


def _number(text: str, name: str) -> float:
    try:
        value = json.loads(text)[name]
        if not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        pass
    raise _Violation(UNSUPPORTED, f'found no {name} in a message, expected {{"{name}": NUMBER}}')


def _samples(data: bytes) -> np.ndarray:
    if not data or len(data) % 4:
        raise _Violation(UNSUPPORTED, f"found {len(data)} bytes, expected float32 samples")
    samples = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.all(np.isfinite(samples)):
        raise _Violation(UNSUPPORTED, "found samples that are no numbers, expected -1 to 1")
    return np.clip(samples, -1.0, 1.0)


async def _close(websocket: WebSocket, code: int, words: str) -> None:
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await websocket.send_text(json.dumps({"error": words}))
        await websocket.close(code, words[:120])
