"""The page in a real browser, whose microphone plays recordings: whole journeys of visitors."""

import csv
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import MY_WAVS, ROOT
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web")]  # one server, one browser
AXE = Path(__file__).parent / "axe/axe.min.js"
ANSWERED = "#list > li .open:not([disabled])"


@pytest.fixture(scope="module")
def server():
    """Address of serve_web.py, started as a user starts it."""
    process = subprocess.Popen([sys.executable, ROOT / "scripts/serve_web.py", "--port", "0"],
                               cwd=ROOT, stdout=subprocess.PIPE, text=True)
    yield process.stdout.readline().strip()
    process.terminate()
    assert process.wait(20) in (0, 130, -15)


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Six seconds of a woman, then six of a man, 48 kHz, as a microphone delivers them."""
    path = tmp_path_factory.mktemp("voices") / "two.wav"
    soundfile.write(path, np.concatenate([speech("slt_fox", 6), speech("rms_morning", 6)]), 48_000)
    return path


def speech(name, seconds, rate=48_000):
    """A voice that speaks from the first moment on, with short pauses."""
    samples, own_rate = soundfile.read(MY_WAVS / f"{name}.wav", dtype="float32")
    samples = samples[np.argmax(np.abs(samples) > 0.05 * np.abs(samples).max()):]
    samples = np.concatenate([samples, np.zeros(own_rate // 4, np.float32)])
    return soxr.resample(np.resize(samples, int(seconds * own_rate)), own_rate, rate)


@pytest.fixture
def visit(chromium, server, voices):
    """Opens the page; afterwards it must have asked this machine alone, without errors."""
    browser = chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                       f"--use-file-for-fake-audio-capture={voices}")
    hosts, errors = set(), []

    def open_page(**options):
        context = browser.new_context(permissions=["microphone"], **options)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.on("request", lambda r: hosts.add(r.url.split("/")[2]) if "//" in r.url else None)
        page.on("websocket", lambda w: hosts.add(w.url.split("/")[2]))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text)
                if message.type in ("error", "warning") else None)
        page.goto(server)
        page.wait_for_selector("#sample option:nth-child(3)", state="attached")
        return page

    open_page.errors = errors
    yield open_page
    assert hosts == {server.split("/")[2]} and not errors


def wav(samples, rate=16_000, **form):
    out = io.BytesIO()
    soundfile.write(out, samples, rate, **{"format": "WAV", **form})
    return out.getvalue()


def upload(page, **contents):
    page.set_input_files("#files", [
        {"name": name.replace("_wav", ".wav"), "mimeType": "audio/wav", "buffer": content}
        for name, content in contents.items()])


def table(page, link):
    with page.expect_download() as download:
        page.click(link)
    return list(csv.DictReader(io.StringIO(download.value.path().read_text())))


def violations(page):
    """What axe-core finds: rules of WCAG that the page breaks, with the elements."""
    # The page's own policy forbids scripts from elsewhere, so the debugger runs it.
    page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": AXE.read_text()})
    return page.evaluate("""async () => (await axe.run()).violations.map(
        v => [v.id, ...v.nodes.map(n => n.html)])""")


def test_a_recording_of_two_voices_is_answered_and_heard(visit):
    page = visit()
    upload(page, two_wav=wav(np.concatenate([speech("slt_fox", 9, 16_000),
                                             speech("rms_morning", 10, 16_000)])))
    page.wait_for_selector(".wave")
    assert page.inner_text(".detail .verdict") == "Two voices"
    words = page.inner_text(".detail")
    assert re.search(r"\d\.\d s labelled female", words) and "s labelled male" in words
    assert re.match("probability of female 0[.].* uncertain between",
                    page.get_attribute(".bar", "aria-label"))
    rows = table(page, ".detail a[download='timeline.csv']")
    assert [row["label"] for row in rows] == ["female", "male"]

    def playing():
        return page.evaluate("""() => { const a = document.querySelector("audio");
                                        return [a.currentTime, a.paused]; }""")

    start, end = float(rows[1]["start_s"]), float(rows[1]["end_s"])
    page.click(".segments button.male")
    page.wait_for_timeout(1000)
    assert start < playing()[0] < start + 2 and not playing()[1]
    box = page.locator(".wave").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 20)
    page.wait_for_timeout(300)
    assert playing()[0] == pytest.approx(19 / 4, abs=1) and not playing()[1]
    page.focus(".wave")
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    assert playing() == [0, True] and end > 18
    page.wait_for_selector(".wide img")
    picture = page.locator(".wide img").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    assert (pixels.max(axis=2) - pixels.min(axis=2)).max() > 100, "the heat map has colours"


def test_a_segment_ends_where_it_ends(visit):
    page = visit()
    upload(page, pause_wav=wav(np.concatenate([speech("slt_seven", 1.5, 16_000),
                                               np.zeros(48_000), speech("slt_fox", 3, 16_000)])))
    page.wait_for_selector(".wave")
    end = float(table(page, ".detail a[download='timeline.csv']")[0]["end_s"])
    assert end < 3
    page.click(".segments button >> nth=0")
    page.wait_for_timeout(1000 * end + 1000)
    stopped = page.evaluate("""() => document.querySelector("audio").paused
                               && document.querySelector("audio").currentTime""")
    assert stopped == pytest.approx(end, abs=0.3)


def test_several_files_have_a_row_each_and_one_table(visit):
    page = visit()
    sound = wav(*soundfile.read(MY_WAVS / "kal_count.wav"))
    upload(page, **{"=1+1_wav": sound, "silent_wav": wav(np.zeros(16_000)), "notes_wav": b"text",
                    "<b>ä_wav": (MY_WAVS / "slt_fox.wav").read_bytes()})
    page.wait_for_selector(f"{ANSWERED} >> nth=3")
    shown = page.locator("#list .open").all_inner_texts()
    assert [text.split("\n")[0] for text in shown] == ["=1+1.wav", "silent.wav", "notes.wav",
                                                       "<b>ä.wav"]
    for text, words in zip(shown, ("Labelled male", "No speech", "Not answered",
                                   "Labelled female")):
        assert words in text
    page.click("#list .open >> nth=2")
    assert "expected" in page.inner_text(".detail .error")
    rows = table(page, "#csv")
    assert [row["path"] for row in rows] == ["'=1+1.wav", "silent.wav", "notes.wav", "<b>ä.wav"]
    assert [row["label"] for row in rows] == ["male", "no_speech", "", "female"]
    page.click("#clear")
    page.wait_for_selector("#empty")
    assert page.locator("#list > li").count() == 0


def test_the_microphone_is_recorded_and_answered(visit):
    page = visit()
    page.click("#record")
    page.wait_for_selector("#clock:text-matches('0:0[3-9]')")
    page.click("#record")
    page.wait_for_selector(".detail .verdict")
    assert page.inner_text(".detail .verdict") == "Labelled female"
    assert "recorded" in page.inner_text("#list .name")


def test_the_live_label_follows_the_voice(visit, voices):
    """Soon after the other voice starts (1.1 s on a quiet machine); then 10 s are kept."""
    page = visit()
    sent, heard = [], []

    def opened(socket):
        socket.on("framesent", lambda data: sent.append((time.monotonic(), data)))
        socket.on("framereceived", lambda data: heard.append(data))

    page.on("websocket", opened)
    page.click("#live")
    page.wait_for_selector("#live-label.female")
    page.wait_for_selector("#live-label.male")
    followed_at = time.monotonic()
    page.wait_for_timeout(500)
    assert "0.0" in page.inner_text("#live-p")
    rate = json.loads(sent[0][1])["rate"]
    times = [at for at, data in sent if isinstance(data, bytes)]
    blocks = [np.frombuffer(data, "<f4") for _, data in sent if isinstance(data, bytes)]
    switch = (6 - offset_s(np.concatenate(blocks), rate, voices)) * rate
    ends = np.cumsum([len(block) for block in blocks])
    lag_s = followed_at - times[int(np.searchsorted(ends, switch))]
    assert 0 < lag_s < 4, "not only once the next sentence begins"
    steps = [json.loads(data) for data in heard if isinstance(data, str)]
    assert all(0 <= step["peak"] <= 1 for step in steps) and steps[-1]["label"] == "male"
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#scroll").screenshot())).convert("L"))
    newest, empty = picture[20:-20, -200:], picture[20:-20, 20:40]
    assert newest.std() > 10 and not empty.any(), "it comes from the right"
    high, wide = struct.unpack("<HH", next(d for d in heard if isinstance(d, bytes))[:4])
    assert page.evaluate("document.querySelector('#scroll').height") == high and wide > 0
    assert int(page.get_attribute("#listening .meter", "aria-valuenow")) > -30
    assert not violations(page)
    page.click("#keep-live")
    page.wait_for_selector(".detail .verdict")
    page.click("#stop-live")
    page.wait_for_selector("#listening", state="hidden")
    assert "last 10 s" in page.inner_text("#list .name")


def offset_s(samples, rate, path):
    """At which second of a file the samples that a microphone delivered begin."""
    played, played_rate = soundfile.read(path, dtype="float32")

    def loudness(samples, rate):
        step = rate // 100
        return np.abs(samples[: len(samples) // step * step]).reshape(-1, step).mean(axis=1)

    whole, part = loudness(played, played_rate), loudness(samples, rate)[:400]
    fits = [np.corrcoef(whole[i: i + len(part)], part)[0, 1]
            for i in range(min(300, len(whole) - len(part)))]
    assert max(fits) > 0.9
    return int(np.argmax(fits)) / 100


def test_a_long_recording_shows_progress_and_is_stopped(visit):
    page = visit()
    upload(page, long_wav=wav(speech("slt_fox", 1500, 16_000), format="MP3"))
    page.wait_for_selector("#list .short:text-matches('heard .* of 25:00')")
    assert 0 < page.evaluate("document.querySelector('#list progress').position") < 1
    page.click("#list button[aria-label='stop long.wav']")
    page.wait_for_selector("#empty")
    page.select_option("#sample", "rms_seven")
    page.click("#try button")
    page.wait_for_selector(f"{ANSWERED} .male", timeout=10_000)


def test_nothing_stays_when_a_visitor_leaves(visit, server):
    page = visit()
    with page.expect_response(lambda response: response.request.method == "POST") as given:
        upload(page, fox_wav=(MY_WAVS / "slt_fox.wav").read_bytes())
    held = f"{server}page/recordings/{given.value.json()['id']}"
    page.wait_for_selector(".wave")
    assert page.context.request.get(held).status == 200
    page.goto(f"{server}api")
    assert not violations(page)
    page.wait_for_timeout(500)
    assert page.context.request.get(held).status == 404


def test_keyboard_alone_is_enough(visit):
    page = visit()

    def tab_to(selector):
        for _ in range(40):
            if page.evaluate(f"() => document.activeElement.closest('{selector}') !== null"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#sample")
    page.keyboard.type("man (synthetic): s")
    assert page.input_value("#sample") == "rms_seven"
    tab_to("#try button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".segments button:not([disabled])")
    assert page.inner_text(".detail .verdict") == "Labelled male"
    assert page.inner_text("#said").endswith("Labelled male"), "a screen reader says it"
    page.wait_for_selector(".wide img[alt*='heat map']")
    for selector in (".open", ".wave", ".segments button", ".wide", "a[download]"):
        tab_to(selector)
    tab_to("#theme")
    page.keyboard.press("Enter")
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"


def test_what_goes_wrong_is_said_and_can_be_tried_again(visit):
    page = visit()
    page.click("#try button")
    assert "sample" in page.inner_text("#message")
    upload(page, large_wav=bytes(26 * 2**20))
    assert "large.wav: larger than 25 MB" in page.inner_text("#message")
    busy = [{"status": 429, "headers": {"Retry-After": "1"}, "json": {"error": "found too many"}},
            {"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "found a queue"}}]
    page.route("**/page/recordings", lambda route: route.fulfill(**busy.pop(0)) if busy
               else route.continue_())
    upload(page, fox_wav=(MY_WAVS / "slt_fox.wav").read_bytes())
    page.wait_for_selector("#list .short:text('busy, again in')")
    page.wait_for_selector(f"{ANSWERED} .female")
    page.click("#clear")
    page.context.set_offline(True)
    upload(page, fox_wav=(MY_WAVS / "slt_fox.wav").read_bytes())
    page.wait_for_selector("#list .error:text('The server cannot be reached')")
    page.context.set_offline(False)
    page.click("#list button:text('Try again')")
    page.wait_for_selector(f"{ANSWERED} .female")
    # The browser logs each refusal and lost request by itself.
    assert all("Failed to load resource" in error for error in visit.errors)
    visit.errors.clear()


@pytest.mark.parametrize("name, width, scheme", [
    ("light", 1100, "light"), ("dark", 1100, "dark"), ("tablet", 768, "dark"),
    ("phone", 360, "light"), ("phone_dark", 360, "dark")])
def test_it_fits_and_can_be_read(visit, tmp_path, name, width, scheme):
    """Screenshots for the docs: VOXSIGHT_SCREENSHOTS=docs pytest tests/web/test_page.py."""
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme,
                 reduced_motion="reduce")
    assert not violations(page)
    upload(page, interview_wav=wav(np.concatenate([speech("slt_fox", 9, 16_000),
                                                   speech("rms_morning", 10, 16_000)])))
    page.wait_for_selector(".segments button:not([disabled])")
    page.wait_for_selector(".wide img")
    page.evaluate("() => document.querySelector('.wide img').decode()")
    assert not violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.locator("button:visible, .button:visible").all():
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 32
    folder = os.environ.get("VOXSIGHT_SCREENSHOTS", tmp_path)
    if name in ("light", "dark", "phone") or folder == tmp_path:
        page.screenshot(path=os.path.join(folder, f"web_{name}.png"), full_page=True)


def test_the_lines_in_the_docs_work(server):
    """curl and Python as docs/web.md has them, asked of this server."""
    text = (ROOT / "docs/web.md").read_text().replace("http://127.0.0.1:7860/", server)
    (curl,) = [line.strip() for line in text.splitlines() if line.startswith("    curl ")]
    lines = text[text.index("    import requests"):].splitlines()
    python = "\n".join(line[4:] for line in lines[: next(
        i for i, line in enumerate(lines) if line and not line.startswith("    "))])
    done = subprocess.run([sys.executable, "-c", python], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["female", "0.9969"], done.stderr
    if shutil.which("curl"):
        done = subprocess.run(["bash", "-c", f"{curl} --silent"], cwd=ROOT, capture_output=True)
        assert json.loads(done.stdout)[0]["label"] == "female"
