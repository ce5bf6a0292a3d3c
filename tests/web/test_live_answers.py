"""A microphone over a WebSocket: answers while it runs, and what it refuses."""

import asyncio
import contextlib
import dataclasses
import json
import struct
import threading
import time

import numpy as np
import pytest
import soundfile
import websockets
from conftest import MY_WAVS
from visitor import Visitor, answered_in_time, serving

from voxsight.web.limits import FOR_ONESELF

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web")]


@pytest.fixture(scope="module")
def server():
    return serving(limits=dataclasses.replace(FOR_ONESELF, client_live=2))


@pytest.fixture
def me(server):
    visitor = Visitor(server.url)
    visitor.ask("/page/info")
    return visitor


def connecting(server, visitor, **more):
    return websockets.connect(
        server.url.replace("http", "ws") + "/page/live", origin=more.pop("origin", server.url),
        additional_headers={"Cookie": visitor.headers.get("Cookie", ""), **more})


def voice(name):
    return soundfile.read(MY_WAVS / f"{name}.wav", dtype="float32")


async def spoken(socket, samples, rate, block_s=0.05):
    """Send sound as fast as time passes; the moments and their pictures meanwhile."""
    moments, pictures, started = [], [], time.monotonic()

    async def heard():
        async for message in socket:
            (pictures if isinstance(message, bytes) else moments).append(message)

    listening = asyncio.create_task(heard())
    size = round(block_s * rate)
    for start in range(0, len(samples), size):
        await socket.send(samples[start: start + size].astype("<f4").tobytes())
        await asyncio.sleep(max(0, (start + size) / rate - (time.monotonic() - started)))
    await asyncio.sleep(0.5)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    return [json.loads(moment) for moment in moments], pictures


def test_the_label_follows_the_voice(server, me):
    (female, rate), (male, _) = voice("slt_fox"), voice("rms_morning")
    change_s = len(female) / rate

    async def talk():
        async with connecting(server, me) as socket:
            await socket.send(json.dumps({"rate": rate}))
            return await spoken(socket, np.concatenate([female, male]), rate)

    moments, pictures = asyncio.run(talk())
    ends = np.array([moment["end_s"] for moment in moments])
    assert np.all(np.diff(ends) > 0.19) and len(ends) > 5
    before = [moment["label"] for moment in moments if 0.5 < moment["end_s"] < change_s]
    assert set(before) == {"female"}
    assert any(moment["label"] == "male" for moment in moments
               if change_s < moment["end_s"] <= change_s + 2.5)
    assert 0.1 < max(moment["peak"] for moment in moments) <= 1
    for picture in pictures:
        height, width = struct.unpack("<HH", picture[:4])
        assert len(picture) == 4 + height * width and (height, width) == (64, 13)
    assert len(pictures) == len(moments)
    assert np.std(np.frombuffer(pictures[5][4:], np.uint8)) > 10


def test_the_last_seconds_are_kept_and_answered(server, me):
    samples, rate = voice("slt_fox")

    async def talk():
        async with connecting(server, me) as socket:
            await socket.send(json.dumps({"rate": rate}))
            await spoken(socket, samples, rate)
            await socket.send('{"keep_s": 10}')
            async with asyncio.timeout(20):
                async for message in socket:
                    if isinstance(message, str) and "id" in (said := json.loads(message)):
                        return said["id"]

    recording = f"/page/recordings/{asyncio.run(talk())}"
    said = me.wait(recording)
    assert said["row"]["label"] == "female" and said["row"]["duration_s"] > 2
    assert Visitor(server.url).ask(recording).status == 404


async def ended(socket, *messages):
    """Why a connection is closed after these messages."""
    with contextlib.suppress(websockets.ConnectionClosed):
        for message in messages:
            await socket.send(message)
        async with asyncio.timeout(20):
            async for _ in socket:
                pass
    return socket.close_code


RATE = '{"rate": 16000}'


@pytest.mark.parametrize("messages, code", [
    (["rubbish"], 1003), (["[]"], 1003), (['{"rate": "x"}'], 1003), (['{"rate": NaN}'], 1003),
    (['{"rate": 1e99}'], 1003), (['{"rate": true}'], 1003), ([b"\0" * 400], 1003),
    (["[" * 9_999], 1003), ([RATE, b"\0\0\0"], 1003), ([RATE, b""], 1003),
    ([RATE, np.full(9, np.nan, "<f4").tobytes()], 1003), ([RATE, '{"keep_s": NaN}'], 1003),
    ([RATE, '{"path": "/etc/passwd"}'], 1003), ([RATE, bytes(2**20 + 4)], 1009),
    ([RATE, *[bytes(2**19)] * 4], 1008)])
def test_what_is_no_sound_ends_it(server, me, messages, code):
    async def talk():
        async with connecting(server, me) as socket:
            return await ended(socket, *messages)

    assert asyncio.run(talk()) == code
    assert answered_in_time(server.url)


@pytest.mark.parametrize("more", [
    {"origin": "https://elsewhere.example"}, {"origin": "null"}, {"Cookie": ""},
    {"Cookie": "voxsight_session=forged.forged.forged"}])
def test_another_site_cannot_listen(server, me, more):
    async def talk():
        async with connecting(server, me, **more):
            pass

    with pytest.raises(websockets.InvalidStatus) as refused:
        asyncio.run(talk())
    assert refused.value.response.status_code == 403


def test_there_are_so_many_microphones_and_none_is_left_over(server, me):
    threads = threading.active_count()

    async def talk():
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(connecting(server, me)) for _ in range(2)]
            for socket in sockets:
                await socket.send(RATE)
                await socket.send(np.zeros(8_000, "<f4").tobytes())
            third = await stack.enter_async_context(connecting(server, me))
            assert await ended(third, RATE) == 1013
            assert await asyncio.to_thread(answered_in_time, server.url)
            sockets[0].transport.abort()  # without a word

    asyncio.run(talk())
    end = time.monotonic() + 20
    while any(thread.name == "live" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert threading.active_count() <= threads + 3


def test_who_does_not_listen_gets_no_backlog(server, me):
    """Steps are skipped while a client takes nothing."""
    samples, rate = voice("slt_fox")

    async def talk():
        async with connecting(server, me) as socket:
            await socket.send(json.dumps({"rate": rate}))
            await socket.send(samples[: 4 * rate].astype("<f4").tobytes())
            async with asyncio.timeout(20):
                first = json.loads(await socket.recv())
            return first

    assert asyncio.run(talk())["end_s"] > 1.0, "all that had come was taken at once"
