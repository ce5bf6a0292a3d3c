"""The page in a real browser with a microphone that plays a recording, and who it refuses."""

import base64
import concurrent.futures
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web")]  # one server, one browser
COLUMNS = {"path", "label", "p_female", "speech_s", "duration_s", "error"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """serve_web.py as a user starts it; its address and the folder it keeps recordings in."""
    folder = tmp_path_factory.mktemp("web")
    process = subprocess.Popen(
        [sys.executable, ROOT / "scripts/serve_web.py", "--port", "0", "--keep-in",
         folder / "my_wavs"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "GRADIO_TEMP_DIR": str(folder / "uploads")})
    url = process.stdout.readline().strip()
    yield SimpleNamespace(url=url, kept=folder / "my_wavs", uploads=folder / "uploads")
    process.terminate()
    assert process.wait(20) in (0, 130, -15)


@pytest.fixture
def browser(chromium):
    return chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                    f"--use-file-for-fake-audio-capture={MY_WAVS / 'slt_fox.wav'}")


@pytest.fixture
def page(browser, server):
    """The page, opened; afterwards it must have asked this machine alone, without errors."""
    context = browser.new_context(permissions=["microphone"])
    context.set_default_timeout(60_000)
    page, hosts, errors = context.new_page(), set(), []
    page.on("request", lambda r: hosts.add(r.url.split("/")[2]) if "://" in r.url else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    page.wait_for_selector("#classify")
    yield page
    assert hosts == {server.url.split("/")[2]} and not errors


def classify(page):
    page.click("#classify")
    page.wait_for_selector("#answer .vx")
    return page.inner_text("#answer h2")


def upload(page, path):
    page.set_input_files("#recording input[type=file]", path)
    page.wait_for_selector("#recording button[aria-label='Clear']")


def heat_map(page):
    source = page.get_attribute("#answer img", "src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB"))


def shot(page, name, tmp_path):
    """Screenshots for the docs: VOXSIGHT_SCREENSHOTS=docs pytest tests/web."""
    folder = os.environ.get("VOXSIGHT_SCREENSHOTS", tmp_path)
    path = os.path.join(folder, f"web_{name}.png")
    page.screenshot(path=path, full_page=True)
    assert np.asarray(Image.open(path).convert("L")).std() > 10


def test_the_microphone_is_recorded_and_answered(page, server):
    page.click("#recording button[aria-label='Record audio']")
    page.click("#recording button.record-button")
    page.wait_for_function("/0:0[3-9]/.test(document.querySelector('#recording').innerText)")
    with page.expect_response(lambda response: "/upload" in response.url):
        page.click("#recording button.stop-button")
    page.wait_for_selector("#recording button[aria-label='Clear']")
    assert classify(page) == "labelled female"
    page.wait_for_selector("#answer img")
    picture = heat_map(page)
    right = picture[:, picture.shape[1] // 2:].astype(int)
    assert picture.shape[1] > 600 and (right.max(axis=2) - right.min(axis=2)).max() > 100
    assert not [f for _, _, files in os.walk(server.uploads) for f in files], "deleted after"
    assert not server.kept.exists()


@pytest.mark.parametrize("kind", ["mp3", "m4a"])
def test_other_formats_are_answered(page, tmp_path, kind):
    samples, rate = soundfile.read(MY_WAVS / "rms_morning.wav", dtype="float32")
    path = tmp_path / f"<b>voice & co.{kind}"
    if kind == "mp3":
        soundfile.write(path, samples, rate, format="MP3")
    else:
        with av.open(str(path), "w", format="ipod") as container:
            stream = container.add_stream("aac", rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.rate = rate
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    upload(page, path)
    assert classify(page) == "labelled male"
    with page.expect_download() as download:
        page.click("#answer a[download='answer.csv']")
    head, row = download.value.path().read_text().splitlines()
    assert head == "path,label,p_female,speech_s,duration_s,error" and ",male,0.0" in row


def test_what_is_no_sound_is_said(page, tmp_path):
    text = tmp_path / "notes.wav"
    text.write_text("no sound at all")
    upload(page, text)
    assert classify(page) == "not answered"
    words = page.inner_text("#answer")
    assert "notes.wav" in words and "found" in words and "expected" in words
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    page.click("#recording button[aria-label='Clear']")
    upload(page, silent)
    page.click("#classify")
    page.wait_for_function("document.querySelector('#answer h2').innerText == 'no speech'")


def test_a_recording_is_kept_if_asked(page, server):
    upload(page, MY_WAVS / "slt_hello.wav")
    page.check("#keep input")
    assert classify(page) == "labelled female"
    (kept,) = server.kept.iterdir()
    assert kept.read_bytes() == (MY_WAVS / "slt_hello.wav").read_bytes()
    assert kept.name in page.inner_text("#answer")
    shutil.rmtree(server.kept)


def test_a_segment_is_heard(page):
    """A long recording of two voices: a click plays the second one's part."""
    voices = [soundfile.read(MY_WAVS / f"{name}.wav")[0] for name in ("slt_fox", "rms_morning")]
    sound = np.concatenate([np.tile(np.concatenate([voices[0], np.zeros(9600)]), 10),
                            np.tile(np.concatenate([voices[1], np.zeros(9600)]), 10)])
    out = io.BytesIO()
    soundfile.write(out, sound, 16_000, format="WAV")
    page.set_input_files("#recording input[type=file]", {
        "name": "long.wav", "mimeType": "audio/wav", "buffer": out.getvalue()})
    page.wait_for_selector("#recording button[aria-label='Clear']")
    classify(page)
    page.wait_for_selector("#answer audio", state="attached")
    segments = page.locator("#answer ol button")
    male = next(i for i in range(segments.count()) if " male " in segments.nth(i).inner_text())
    start = float(segments.nth(male).get_attribute("data-start"))
    end = float(segments.nth(male).get_attribute("data-end"))
    assert 0 < start < end <= start + 4.1, "the start of each is in one short sound"
    segments.nth(male).click()
    playing = "document.querySelector('#answer audio')"
    page.wait_for_function(f"{playing}.currentTime > {start} + 0.2")
    page.wait_for_function(f"{playing}.paused")
    assert page.evaluate(f"{playing}.currentTime") == pytest.approx(end, abs=0.5)


def test_keyboard_alone_is_enough(page):
    def tab_to(selector):
        for _ in range(40):
            if page.evaluate(f"document.activeElement.closest('{selector}') !== null"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#sample")
    page.keyboard.type("rms_seven")
    page.wait_for_selector("[role=option]:has-text('rms_seven')")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#sample input').value == 'rms_seven.wav'")
    tab_to("#classify")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .vx")
    assert page.inner_text("#answer h2") == "labelled male"
    bar = page.get_attribute("#answer .vx-bar", "aria-label")
    assert "probability of female 0.0" in bar and "uncertain between" in bar
    assert page.get_attribute("#answer section", "role") == "status"
    page.wait_for_selector("#answer img[alt*='heat map']")
    tab_to("#answer ol button")


def test_nothing_given_is_said(page):
    page.click("#classify")
    page.wait_for_selector("#answer [role=alert]")


@pytest.mark.parametrize("name, width, scheme", [
    ("light", 1100, "light"), ("dark", 1100, "dark"), ("phone", 375, "light")])
def test_it_fits_and_can_be_read(browser, server, tmp_path, name, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#classify")
    upload(page, MY_WAVS / "slt_fox.wav")
    classify(page)
    page.wait_for_selector("#answer img")
    page.wait_for_function("document.querySelector('#answer img').complete")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#classify").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 32
    colours = page.evaluate("""() => { const body = getComputedStyle(document.body);
        return [getComputedStyle(document.querySelector('#answer h2')).color,
                body.backgroundColor]; }""")
    text, behind = (sum(int(v) for v in c[c.index("(") + 1: -1].split(",")[:3]) for c in colours)
    assert (text > behind + 300) if scheme == "dark" else (behind > text + 300)
    shot(page, name, tmp_path)


def form(content, name="a.wav", field="file"):
    boundary = uuid.uuid4().hex
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; '
            f'filename="{name}"\r\n\r\n').encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def ask(url, body=None, headers=(), **more):
    request = urllib.request.Request(url, body, {**dict(headers), **more})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def test_fifty_at_once_are_all_answered_with_their_own(server):
    names = sorted(path.name for path in MY_WAVS.glob("*.wav"))
    wanted = {}
    for name in names:
        _, body, _ = ask(f"{server.url}api/classify",
                         *form((MY_WAVS / name).read_bytes(), name))
        (wanted[name],) = json.loads(body)
        assert set(wanted[name]) >= COLUMNS and wanted[name]["path"] == name
    assert len({row["p_female"] for row in wanted.values()}) > 3
    asked = [names[i % len(names)] for i in range(50)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda name: ask(
            f"{server.url}api/classify", *form((MY_WAVS / name).read_bytes(), name)), asked))
    assert [status for status, *_ in found] == [200] * 50
    assert [json.loads(body)[0] for _, body, _ in found] == [wanted[name] for name in asked]


def test_the_api_answers_like_the_command(server, script):
    _, body, _ = ask(f"{server.url}api/classify",
                     *form((MY_WAVS / "slt_three.wav").read_bytes(), "my_wavs/slt_three.wav"))
    done = script("deploy_model", "my_wavs/slt_three.wav", "--json")
    assert json.loads(body) == json.loads(done.stdout)


def test_what_it_refuses(server):
    api = f"{server.url}api/classify"
    wav = (MY_WAVS / "slt_seven.wav").read_bytes()
    status, body, _ = ask(api, b"{}", {"Content-Type": "application/json"})
    assert status == 415 and b"curl" in body
    assert ask(api, *form(wav, field="sound"))[0] == 422
    assert ask(api, *form(wav, "../../../etc/passwd.wav"))[0] == 200, "a name is no path"
    status, body, _ = ask(api, *form(bytes(26 * 2**20)))
    assert status == 413 and b"25 MB" in body
    status, body, _ = ask(api, *form(b"text"))
    assert status == 200 and "expected" in json.loads(body)[0]["error"]
    body, headers = form(wav)
    assert ask(api, body, headers, Origin="https://elsewhere.example")[0] == 403
    assert ask(server.url, Host="elsewhere.example")[0] == 403
    for path in ("gradio_api/file=/etc/passwd", "gradio_api/file=../../../../etc/passwd",
                 "gradio_api/file/etc/passwd", "gradio_api/file=%2Fetc%2Fpasswd",
                 "static/../../../../../etc/passwd", "assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd"):
        status, body, _ = ask(server.url + path)
        assert status in (400, 403, 404) and b"root:" not in body, path
    for path in ("gradio_api/proxy=https://elsewhere.example/", "gradio_api/vibe-code",
                 "monitoring"):
        assert ask(server.url + path)[0] == 404


def test_a_file_belongs_to_its_session(server):
    """Another session can neither fetch an upload nor have it classified."""
    sessions = []
    for _ in range(2):
        _, _, headers = ask(server.url)
        assert "HttpOnly" in headers["set-cookie"] and "SameSite=Strict" in headers["set-cookie"]
        sessions.append(headers["set-cookie"].split(";")[0])
    body, headers = form((MY_WAVS / "slt_seven.wav").read_bytes(), field="files")
    url = f"{server.url}gradio_api/upload"
    assert ask(url, body, headers)[0] == 403, "no session at all"
    status, answer, _ = ask(url, body, headers, Cookie=sessions[0])
    (path,) = json.loads(answer)
    assert status == 200
    stolen = f"{server.url}gradio_api/file={path}"
    assert ask(stolen, Cookie=sessions[0])[0] == 200
    assert ask(stolen, Cookie=sessions[1])[0] == ask(stolen)[0] == 403
    assert "labelled" in queued(server.url, path, sessions[0])
    status, answer, _ = ask(url, body, headers, Cookie=sessions[0])
    assert "not of this session" in queued(server.url, json.loads(answer)[0], sessions[1])
    assert ask(stolen, Cookie=sessions[0])[0] == 200, "it is still there for its owner"


def queued(url, path, session):
    """What the page's button would show for an upload."""
    _, config, _ = ask(f"{url}config", Cookie=session)
    button = next(d for d in json.loads(config)["dependencies"] if len(d["inputs"]) == 3)
    hash_ = uuid.uuid4().hex
    data = {"path": path, "meta": {"_type": "gradio.FileData"}}
    join = {"data": [data, None, False], "fn_index": button["id"], "session_hash": hash_}
    status, *_ = ask(f"{url}gradio_api/queue/join", json.dumps(join).encode(),
                     {"Content-Type": "application/json"}, Cookie=session)
    assert status == 200
    return ask(f"{url}gradio_api/queue/data?session_hash={hash_}", Cookie=session)[1].decode()


@pytest.fixture
def guarded(tiny_model):
    """The app in this process, with a password and little patience."""
    from voxsight.web.page import build_app, serve

    app = build_app(tiny_model[0], credentials=("me", "päss"), body_s=0.5)
    ready, ports = threading.Event(), []

    def tell(port):
        ports.append(port)
        ready.set()

    threading.Thread(target=serve, args=(app, "127.0.0.1", 0, tell), daemon=True).start()
    assert ready.wait(60)
    return f"http://127.0.0.1:{ports[0]}/"


def test_a_password_is_asked_for_and_slow_requests_end(guarded):
    token = {"Authorization": "Basic " + base64.b64encode("me:päss".encode()).decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"me:pass").decode()}
    for path in ("", "config", "api/classify", "gradio_api/file=/etc/passwd"):
        status, _, headers = ask(guarded + path)
        assert status == 401 and "Basic" in headers["www-authenticate"]
        assert ask(guarded + path, headers=wrong)[0] == 401
    assert ask(guarded, headers=token)[0] == 200
    body, headers = form((MY_WAVS / "slt_seven.wav").read_bytes())
    assert ask(guarded + "api/classify", body, {**headers, **token})[0] == 200
    port = int(guarded.split(":")[2].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall((f"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                      f"Authorization: {token['Authorization']}\r\n"
                      f"Content-Type: {headers['Content-Type']}\r\n"
                      f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:100])
        assert b" 408 " in slow.recv(200), "the rest never comes"


def test_too_much_without_saying_so_is_refused(guarded):
    token = base64.b64encode("me:päss".encode()).decode()

    def endless():
        yield from [bytes(2**20)] * 40

    request = urllib.request.Request(f"{guarded}api/classify", endless(), {
        "Content-Type": "multipart/form-data; boundary=x", "Transfer-Encoding": "chunked",
        "Authorization": f"Basic {token}"})
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, OSError)) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert getattr(refused.value, "code", 413) in (413, 408)


def test_opening_it_to_others_takes_a_decision(script, tmp_path):
    for flags in ((), ("--user", "me")):
        done = script("serve_web", "--host", "0.0.0.0", *flags)
        assert done.returncode == 2 and "--" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "empty").write_text("\n")
    done = script("serve_web", "--user", "me", "--password-file", tmp_path / "empty")
    assert done.returncode == 2 and "password" in done.stderr
    done = script("serve_web", "--port", "70000")
    assert done.returncode == 2 and "65535" in done.stderr
    done = script("serve_web", "--model", tmp_path / "none")
    assert done.returncode == 2 and "--model" in done.stderr


def test_a_port_in_use_is_said(script, server):
    port = server.url.split(":")[2].strip("/")
    done = script("serve_web", "--port", port)
    assert done.returncode == 2 and port in done.stderr and "Traceback" not in done.stderr


def test_what_never_ends_is_stopped(monkeypatch):
    from voxsight.web import service

    monkeypatch.setattr(service, "LONGEST_S", 1.0)
    heard = service.Service(ROOT / "models/default").submit(MY_WAVS / "slt_fox.wav", "a").result()
    assert "hours" in heard.prediction.error


def test_the_lines_in_the_docs_work(server):
    """curl and Python as docs/web.md has them, asked of this server."""
    text = (ROOT / "docs/web.md").read_text().replace("http://127.0.0.1:7860/", server.url)
    (curl,) = [line.strip() for line in text.splitlines() if line.startswith("    curl ")]
    lines = text[text.index("    import requests"):].splitlines()
    python = "\n".join(line[4:] for line in lines[: next(
        i for i, line in enumerate(lines) if line and not line.startswith("    "))])
    done = subprocess.run([sys.executable, "-c", python], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["female", "0.9967"], done.stderr
    if shutil.which("curl"):
        done = subprocess.run(["bash", "-c", f"{curl} --silent"], cwd=ROOT, capture_output=True)
        assert json.loads(done.stdout)[0]["label"] == "female"


def test_a_long_recording_does_not_hold_up_a_short_one(tmp_path):
    from voxsight.web.service import SHORT_BYTES, Service

    service = Service(ROOT / "models/default")
    samples, rate = soundfile.read(MY_WAVS / "slt_fox.wav", dtype="int16")
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(samples, 100), rate)
    assert long.stat().st_size > SHORT_BYTES
    heard_s = []
    waiting = [service.submit(long, "long", heard_s.append) for _ in range(3)]
    short = service.submit(MY_WAVS / "slt_seven.wav", "short").result()
    assert short.prediction.label == "female" and not waiting[-1].done()
    assert waiting[0].result().prediction.duration_s > 250
    assert heard_s and heard_s == sorted(heard_s), "progress goes on"
    for future in waiting[1:]:
        future.cancel()
