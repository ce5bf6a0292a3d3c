"""Clients that leave in the middle, send slowly and send rubbish, for minutes: what is left over?

    python -m benchmarks.soak --minutes 10
"""

import argparse
import contextlib
import random
import socket
import subprocess
import sys
import threading
import time
from statistics import median
from urllib.parse import urlsplit

import psutil

from benchmarks import processes, web

CLIENTS, SLOW_S, QUIET_S = 8, 2.0, 15.0
SAMPLE = processes.ROOT / "my_wavs/slt_fox.wav"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    args = parser.parse_args()
    server = subprocess.Popen([sys.executable, processes.ROOT / "scripts/serve_web.py", "--port",
                               "0"], stdout=subprocess.PIPE, text=True, cwd=processes.ROOT)
    try:
        url = server.stdout.readline().strip()
        for _ in range(20):
            web._ask(f"{url}api/classify", SAMPLE)
        before = _held(server.pid)
        took = _attacked(url, time.monotonic() + args.minutes * 60)
        time.sleep(QUIET_S)
        after = _held(server.pid)
    finally:
        server.terminate()
        server.wait()
    for name, value in before.items():
        print(f"{name}: {value} before, {after[name]} after")
    print(f"an honest client: {len(took)} answers, median {median(took):.2f} s, slowest "
          f"{max(took):.2f} s")
    return int(any(after[name] > before[name] + 8 for name in ("threads", "files", "processes")))


def _held(pid):
    process = psutil.Process(pid)
    return {"threads": process.num_threads(), "files": process.num_fds(),
            "processes": len(process.children(recursive=True)),
            "MB": round(process.memory_info().rss / 1e6)}


def _attacked(url, until):
    """Seconds of each answer that an honest client gets meanwhile."""
    port, attackers = urlsplit(url).port, []
    for number in range(CLIENTS):
        attackers.append(threading.Thread(target=_attack, args=(port, number, until)))
        attackers[-1].start()
    took = []
    while time.monotonic() < until:
        took.append(web._ask(f"{url}api/classify", SAMPLE)[0])
        time.sleep(0.2)
    for attacker in attackers:
        attacker.join()
    return took


def _attack(port, number, until):
    chance, content = random.Random(number), SAMPLE.read_bytes()
    body = (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            + content + b"\r\n--x--\r\n")
    head = (b"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data;"
            b" boundary=x\r\nContent-Length: %d\r\n\r\n" % len(body))
    while time.monotonic() < until:
        kind = chance.choice(("leave", "leave at the end", "slow", "rubbish", "broken"))
        with (contextlib.suppress(OSError),
              socket.create_connection(("127.0.0.1", port), 30, (f"127.0.3.{number}", 0)) as peer):
            if kind == "rubbish":
                peer.sendall(chance.randbytes(chance.randrange(1, 5_000)))
            elif kind == "broken":
                peer.sendall(head + body.replace(content, chance.randbytes(len(content))))
                peer.recv(2**16)
            elif kind == "slow":
                peer.sendall(head + body[:100])
                time.sleep(SLOW_S)
            else:
                peer.sendall(head + body[: chance.randrange(len(body)) if kind == "leave"
                                         else len(body)])
        time.sleep(chance.uniform(0, 0.2))


if __name__ == "__main__":
    sys.exit(main())
