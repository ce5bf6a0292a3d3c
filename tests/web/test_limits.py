"""What a visitor is granted: time, memory, turns, tries; and that nothing is left over."""

import base64
import concurrent.futures
import contextlib
import dataclasses
import http.client
import io
import json
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from visitor import FOX, Visitor, answered_in_time, form, serving

from voxsight.web.access import Passwords, Rates
from voxsight.web.lanes import Lane
from voxsight.web.limits import FOR_ONESELF, MIB
from voxsight.web.recordings import Keeper
from voxsight.web.refusals import Refusal
from voxsight.web.uploads import Budget

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web")]
LIMITS = dataclasses.replace(
    FOR_ONESELF, short_s=20.0, body_s=0.6, head_s=0.6, idle_s=1.0, recordings=3,
    client_bytes=4 * MIB, total_bytes=6 * MIB, waiting=12, client_waiting=8, file_bytes=3 * MIB)


@pytest.fixture(scope="module")
def server():
    return serving(limits=LIMITS)


@pytest.fixture
def service(server):
    """What the routes of the server share."""
    return server.app._app.routes[5].endpoint.__self__


def until(holds, seconds=20):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def connected(url, address="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", urlsplit(url).port), 30, (address, 0))


def said_until_closed(connection):
    said = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(2**16):
            said += part
    return said


def head_of(body, headers, length=None):
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return ("POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\n" + "\r\n".join(lines)
            + f"\r\nContent-Length: {length or len(body)}\r\n\r\n").encode()


def test_whoever_sends_slowly_holds_nobody_up(server, service):
    body, headers = form(FOX)
    with contextlib.ExitStack() as stack:
        heads, bodies, silent = ([stack.enter_context(connected(server.url)) for _ in range(40)]
                                 for _ in range(3))
        for connection in heads:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
        for connection in bodies:
            connection.sendall(head_of(body, headers) + body[:50_000])
        assert answered_in_time(server.url)
        for connection in bodies:
            assert b" 408 " in said_until_closed(connection)
        for connection in heads + silent:
            assert said_until_closed(connection) == b"", "closed without a word"
    until(lambda: service.budget.held == 0)


def test_a_second_head_that_is_slow_ends_as_well(server):
    with connected(server.url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        said = b""
        while b'"ok"}' not in said:
            said += connection.recv(2**16)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        assert said_until_closed(connection) == b""


@pytest.mark.parametrize("rubbish", [
    b"\0" * 100, b"GET /\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2**17 + b"\r\n\r\n",
    b"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_rubbish_is_answered_in_a_word(server, rubbish):
    with connected(server.url) as connection:
        connection.sendall(rubbish)
        said = said_until_closed(connection)
    assert b"Traceback" not in said and b" 200 " not in said.partition(b"\r\n")[0]
    assert answered_in_time(server.url)


def test_too_much_without_saying_so_is_refused(server, service):
    def endless():
        yield (b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n")
        for _ in range(10):
            yield bytes(MIB)

    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=30)
    connection.request("POST", "/api/classify", endless(), {
        "Content-Type": "multipart/form-data; boundary=x"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    until(lambda: service.budget.held == 0)


def test_clients_that_leave_leave_nothing(server, service):
    """In the middle of a body, while they wait, and while they listen."""
    body, headers = form(FOX)
    assert answered_in_time(server.url)
    folder = f"/proc/{os.getpid()}/fd"
    threads, files = threading.active_count(), len(os.listdir(folder))
    for turn in range(60):
        with connected(server.url) as connection:
            connection.sendall(head_of(body, headers))
            connection.sendall(body[: (len(body) // 2, len(body), 0)[turn % 3]])
    assert answered_in_time(server.url)
    until(lambda: service.budget.held == 0)
    until(lambda: threading.active_count() <= threads + 2)
    until(lambda: len(os.listdir(folder)) <= files + 8)  # decoders that wait for the next file


def test_what_nobody_asks_about_is_forgotten(server, service):
    me = Visitor(server.url)
    recordings = [me.add() for _ in range(3)]
    found = me.ask("/page/recordings", *form(FOX))
    assert found.status == 429 and int(found.headers["Retry-After"]) >= 1
    me.wait(recordings[0])
    me.ask(f"{recordings[0]}/sound")
    assert service.budget.held > 3 * len(FOX)
    until(lambda: len(service.recordings) == 0)
    assert service.budget.held == 0 and me.ask(recordings[0]).status == 404


def test_bytes_are_bounded_for_each_and_for_all(server, service):
    big = bytes(5 * MIB // 2)
    visitors = [Visitor(server.url, f"127.0.1.{i}") for i in range(3)]
    found = [visitor.ask("/page/recordings", *form(big)) for visitor in (
        visitors[0], visitors[0], visitors[1], visitors[2])]
    assert [one.status for one in found] == [202, 429, 202, 503]
    assert all(int(one.headers["Retry-After"]) >= 1 for one in found if one.status != 202)
    assert answered_in_time(server.url), "there is room for a short recording"
    until(lambda: service.budget.held == 0)


def test_a_full_queue_says_when_to_come_back(server, service, monkeypatch):
    held = threading.Event()
    predict = service.answerer.model.predict
    monkeypatch.setattr(service.answerer.model, "predict",
                        lambda *args, **more: held.wait(20) and predict(*args, **more))
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(Visitor(server.url, f"127.0.2.{i % 3}").classify) for i in range(30)]
        until(lambda: sum(future.done() for future in asked) >= 12)
        held.set()
        found = [future.result() for future in asked]
    statuses = {one.status for one in found}
    assert statuses == {200, 429, 503} or statuses == {200, 503}
    assert all("Retry-After" in one.headers for one in found if one.status != 200)


def test_no_trace_of_a_failure_leaves(server, service, monkeypatch, capfd):
    def fails(*_, **__):
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr(service.answerer.model, "predict", fails)
    me = Visitor(server.url)
    found = me.classify()
    assert found.status == 500 and set(json.loads(found.content)) == {"error"}
    recording = me.add()
    said = me.wait(recording)
    assert said["state"] == "failed" and said["error"]
    for text in (found.content, json.dumps(said).encode(), *map(str.encode, capfd.readouterr())):
        assert b"Traceback" not in text and b"secret" not in text


@pytest.mark.parametrize("stated, lanes", [(True, ["long"]), (False, ["short", "long"])])
def test_a_long_recording_waits_elsewhere_and_can_be_stopped(server, service, monkeypatch, stated,
                                                             lanes):
    """The lane is chosen by what the header states and, where it does not, by what was read."""
    file, found, predict = io.BytesIO(), [], service.answerer.model.predict

    def noted(*args, **more):
        found.append(threading.current_thread().name.split()[0])
        return predict(*args, **more)

    monkeypatch.setattr(service.answerer.model, "predict", noted)
    soundfile.write(file, np.zeros(9_000 * 4_000, np.int16), 4_000, format="FLAC")
    content = bytearray(file.getvalue())
    if not stated:
        content[21] &= 0xF0
        content[22:26] = bytes(4)
    me = Visitor(server.url)
    long = me.add(bytes(content))
    until(lambda: found == lanes)
    assert me.json(long)["stated_s"] == (9_000 if stated else 0)
    assert answered_in_time(server.url)
    held = service.recordings._held[long.split("/")[-1]]
    assert me.ask(long, method="DELETE").status == 204
    until(lambda: held.task.state == "stopped")
    assert held.task.heard_s < 9_000 and found[len(lanes):] == ["short"]


def test_wrong_passwords_wait_twice_as_long_each_time():
    now = [0.0]
    passwords = Passwords("me", "right", lambda: now[0])

    def tried(password, client="a"):
        try:
            passwords.check(client, "Basic " + base64.b64encode(
                f"me:{password}".encode()).decode())
        except Refusal as refusal:
            return refusal.status, int(refusal.headers.get("Retry-After", 0))
        return 200, 0

    assert [tried("wrong")[0] for _ in range(3)] == [401] * 3
    waits = []
    for _ in range(12):
        status, wait_s = tried("right")
        assert status == 429
        waits.append(wait_s)
        now[0] += wait_s
        assert tried("wrong")[0] == 401
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert tried("right", "b")[0] == 200
    now[0] += 300
    assert tried("right")[0] == 200 and tried("wrong")[0] == 401


def test_a_rate_is_granted_again_with_time():
    now = [0.0]
    rates = Rates(2.0, 5.0, lambda: now[0])

    def granted(client="a"):
        try:
            rates.check(client)
        except Refusal:
            return False
        return True

    assert [granted() for _ in range(7)] == [True] * 5 + [False] * 2
    assert granted("b")
    now[0] += 1.0
    assert [granted() for _ in range(3)] == [True, True, False]


def test_clients_are_served_in_turn():
    lane, order, begun, go = Lane("test", 2, 100, 100), [], threading.Event(), threading.Event()

    def work(name):
        begun.set()
        assert go.wait(20)
        order.append(name)

    first = [lane.submit("greedy", lambda: work("greedy")) for _ in range(20)]
    assert begun.wait(20)
    second = lane.submit("other", lambda: order.append("other"))
    second.result(20)
    assert order == ["other"], "one thread is left for others while the greedy one works"
    go.set()
    concurrent.futures.wait(first, 20)
    lane.close()
    assert len(order) == 21


def test_a_folder_of_kept_recordings_has_limits(tmp_path):
    keeper = Keeper(tmp_path, dataclasses.replace(LIMITS, kept_files=3, kept_bytes=250_000))
    paths = [keeper.keep(FOX) for _ in range(2)]
    assert all(path.suffix == ".wav" for path in paths) and paths[0] != paths[1]
    with pytest.raises(Refusal, match="kept"):
        keeper.keep(FOX)  # too many bytes
    keeper.keep(b"fLaC")
    with pytest.raises(Refusal):
        keeper.keep(b"fLaC")  # too many files


def test_a_budget_counts_what_is_given_back():
    budget = Budget(LIMITS)
    budget.take("a", 3 * MIB)
    with pytest.raises(Refusal):
        budget.take("a", 2 * MIB)
    budget.give_back("a", 3 * MIB)
    budget.take("a", 4 * MIB)
    assert budget.held == 4 * MIB
