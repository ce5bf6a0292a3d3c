"""The service as a user starts it, and what attackers try on it while others wait for answers."""

import base64
import concurrent.futures
import io
import json
import os
import re
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, ROOT
from visitor import FOX, Visitor, answered_in_time, form

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web")]
SECRET = b"this-is-nobodys-business"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start serve_web.py with flags, as a user does."""
    processes = []

    def started(*flags):
        folder = tmp_path_factory.mktemp("served")
        process = subprocess.Popen(
            [sys.executable, ROOT / "scripts/serve_web.py", "--port", "0", "--model",
             ROOT / "models/default", *flags], cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)})
        processes.append(process)
        (folder / "my_wavs").symlink_to(MY_WAVS)
        url = process.stdout.readline().strip().rstrip("/")
        return SimpleNamespace(url=url.replace("0.0.0.0", "127.0.0.1"), folder=folder,
                               process=process)

    yield started
    for process in processes:
        process.terminate()
        assert process.wait(20) in (0, 130, -15)
        assert "Traceback" not in process.stderr.read()


@pytest.fixture(scope="module")
def server(start):
    return start()


@pytest.fixture(scope="module")
def public(start, tmp_path_factory):
    """Others are let in."""
    return start("--host", "0.0.0.0", "--no-auth", "--name", "voices.example")


@pytest.fixture
def me(server):
    return Visitor(server.url)


@pytest.fixture
def trap():
    """A server that nobody may call; it calls back if somebody did."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/a.wav"
        with pytest.raises(TimeoutError):
            listening.accept()


# What it is for.

def test_the_api_answers_like_the_command(me, script):
    for name in ("slt_three", "rms_seven"):
        found = me.classify((MY_WAVS / f"{name}.wav").read_bytes(),
                            f'filename="my_wavs/{name}.wav"')
        done = script("deploy_model", f"my_wavs/{name}.wav", "--json")
        assert json.loads(found.content) == json.loads(done.stdout)


@pytest.mark.parametrize("disposition, name", [
    ("filename*=UTF-8''na%C3%AFve.wav", "naïve.wav"),
    ("filename=\"x.wav\"; filename*=iso-8859-1'de'%FC.wav", "ü.wav"),
    ("filename*=no-such-charset''a%20b.wav", "a b.wav"),
    ('filename="naïve.wav"', "naïve.wav"),
    ('filename="a.w\0v"', "a.w\0v"), ('filename="../../../etc/passwd"', "../../../etc/passwd"),
    ('filename="<b>.wav"', "<b>.wav"), ('filename=""', "recording")])
def test_a_name_comes_back_and_does_nothing_else(me, disposition, name):
    found = me.classify(FOX, disposition)
    (row,) = json.loads(found.content)
    assert found.status == 200 and row["path"] == name and row["label"] == "female"
    assert found.headers["Content-Type"] == "application/json"


def test_a_get_is_told_how_to_ask(me):
    found = me.ask("/api/classify")
    assert found.status == 405 and found.headers["Allow"] == "POST"
    assert "curl -F file=@" in json.loads(found.content)["error"]
    assert me.json("/healthz") == {"status": "ok"}
    assert "/api/classify" in me.json("/openapi.json")["paths"]


UPLOADS = {  # body, headers and status, made when asked for: each form has another boundary
    "json": lambda: (b"{}", {"Content-Type": "application/json"}, 415),
    "no boundary": lambda: (b"x", {"Content-Type": "multipart/form-data"}, 415),
    "no type": lambda: (b"x", {}, 415),
    "rubbish": lambda: (b"rubbish", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
    "no end": lambda: (
        b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nRIFF",
        {"Content-Type": "multipart/form-data; boundary=x"}, 422),
    "another field": lambda: (*form(FOX, field="sound"), 422),
    "a path": lambda: (*form(b"/etc/passwd", "x=y"), 422),
    "two files": lambda: (*form(
        FOX, more=b'--BORDER\r\nContent-Disposition: form-data; name="file"; filename="b"'
                  b"\r\n\r\nRIFF\r\n"), 422),
    "long head": lambda: (*form(FOX, "; ".join(f"a{i}=b" for i in range(9_999))), 422),
    "too large": lambda: (*form(bytes(26 * 2**20)), 413)}


@pytest.mark.parametrize("what", UPLOADS)
def test_what_is_no_form_with_a_file_is_refused_in_words(me, what):
    body, headers, status = UPLOADS[what]()
    found = me.ask("/api/classify", body, headers)
    assert found.status == status
    said = json.loads(found.content)
    assert set(said) == {"error"} and "found" in said["error"] and "expected" in said["error"]


def test_fifty_at_once_are_all_answered_with_their_own(me):
    wanted = {path.name: json.loads(me.classify(path.read_bytes(), f'filename="{path.name}"')
                                    .content)[0] for path in MY_WAVS.glob("*.wav")}
    names = [list(wanted)[i % len(wanted)] for i in range(50)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda name: me.classify(
            (MY_WAVS / name).read_bytes(), f'filename="{name}"'), names))
    assert [json.loads(one.content)[0] for one in found] == [wanted[name] for name in names]


def test_a_recording_of_the_page(me):
    recording = me.add()
    said = me.wait(recording)
    assert (said["state"], said["row"]["label"]) == ("done", "female")
    assert said["heard_s"] == said["stated_s"] == pytest.approx(2.965, abs=0.01)
    (segment,) = said["segments"]
    assert segment["label"] == "female" and not said["voices"] and not said["error"]
    peaks = me.json(f"{recording}/peaks")
    samples, rate = soundfile.read(MY_WAVS / "slt_fox.wav")
    wanted = [np.abs(part).max() for part in np.array_split(samples, len(peaks["peaks"]))]
    assert peaks["duration_s"] == said["row"]["duration_s"] == len(samples) / rate
    assert np.corrcoef(wanted, peaks["peaks"])[0, 1] > 0.9 and 200 < len(wanted) <= 1000
    sound = me.ask(f"{recording}/sound")
    heard, rate = soundfile.read(io.BytesIO(sound.content))
    assert sound.headers["Content-Type"] == "audio/mpeg"
    assert len(heard) / rate == pytest.approx(2.965, abs=0.1)
    part = me.ask(f"{recording}/sound", headers={"Range": "bytes=100-199"})
    assert (part.status, part.content) == (206, sound.content[100:200])
    assert me.ask(f"{recording}/sound", headers={"Range": "bytes=99999999-"}).status == 416
    assert me.ask(f"{recording}/heat_map").content.startswith(b"\x89PNG")
    assert me.ask(recording, method="DELETE").status == 204
    assert me.ask(recording).status == me.ask(f"{recording}/sound").status == 404


def test_two_voices_are_said_to_be_two(me):
    voices = [soundfile.read(MY_WAVS / f"{name}.wav")[0] for name in ("slt_fox", "rms_morning")]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([np.tile(voice, 3) for voice in voices]), 16_000,
                    format="WAV")
    said = me.wait(me.add(file.getvalue()))
    found = {voice["label"]: voice["seconds"] for voice in said["voices"]}
    assert found["female"] == pytest.approx(8.5, abs=1.5)
    assert found["male"] == pytest.approx(7.0, abs=1.5)
    if said["row"]["label"] == "uncertain":
        assert re.match(r"two voices: \d", said["row"]["reason"])


def test_a_sample_is_answered_by_its_name_alone(me):
    info = me.json("/page/info")
    assert len(info["samples"]) == 8 and info["keep"] is True
    for sample in ("slt_hello", "kal_count"):
        id_ = me.json(f"/page/recordings?sample={sample}", b"")["id"]
        assert me.wait(f"/page/recordings/{id_}")["row"]["path"] == f"{sample}.wav"


# What attackers try.

@pytest.mark.parametrize("sample", [
    "../README", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "/dev/zero", "slt_fox.wav",
    "my_wavs/slt_fox.wav", "http://127.0.0.1:1/a.wav", "file:///etc/passwd", "%00", ""])
def test_no_path_is_a_sample(server, me, sample):
    assert me.ask(f"/page/recordings?sample={sample}", b"").status == 404
    assert answered_in_time(server.url)


@pytest.mark.parametrize("path", [
    "/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/application.py",
    "/static/..%2fserver.py", "/static//etc/passwd", "/static/", "/static/..\\server.py",
    "/gradio_api/file=/etc/passwd", "/gradio_api/queue/join", "/static/%00",
    "http://elsewhere.example/", "/page/recordings/../../info", "//etc/passwd"])
def test_no_path_leads_out_of_the_static_files(server, me, path):
    found = me.ask(path)
    assert found.status in (400, 403, 404), path
    assert b"root:" not in found.content and b"import " not in found.content
    assert answered_in_time(server.url)


def test_no_path_or_url_of_a_client_is_opened(server, me, trap):
    """In fields, in JSON, in names: whatever looks like an order to read something."""
    for target in ("/etc/hostname", "/dev/zero", trap, f"{server.folder}/secret.wav"):
        more = (f'--BORDER\r\nContent-Disposition: form-data; name="path"\r\n\r\n{target}\r\n')
        found = me.ask("/api/classify", *form(b"", f'filename="{target}"', more=more.encode()))
        assert found.status == 200 and json.loads(found.content)[0]["label"] == ""
        file = {"path": target, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [file], "file": target, "url": target}).encode()
        for path in ("/api/classify", "/page/recordings", "/queue/join"):
            assert me.ask(path, body, {"Content-Type": "application/json"}).status in (404, 415)
        assert answered_in_time(server.url)
    assert me.ask(f"/api/classify?url={trap}", b"").status == 415


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{0}\n#EXT-X-ENDLIST\n",
    "hls key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{0}"\n#EXTINF:9,\na.ts\n',
    "concat": "ffconcat version 1.0\nfile '{0}'\n", "pls": "[playlist]\nFile1={0}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT9S"><Period><AdaptationSet><Representation id="a" '
            'mimeType="audio/mp4"><BaseURL>{0}</BaseURL></Representation></AdaptationSet>'
            "</Period></MPD>",
    "smil": '<smil><body><audio src="{0}"/></body></smil>', "url": "{0}",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{0}"/><script/></svg>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_no_playlist_is_followed(server, me, trap, kind):
    (server.folder / "secret.wav").write_bytes(FOX)
    for target in (trap, f"{server.folder}/secret.wav", f"file://{server.folder}/secret.wav"):
        (row,) = json.loads(me.classify(PLAYLISTS[kind].format(target).encode()).content)
        assert row["label"] == "" and "no sound" in row["error"]
    assert answered_in_time(server.url)


@pytest.fixture(scope="module")
def silence():
    """Four hours of digital silence as FLAC, some hundred kB."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8_000, 1, "PCM_16", format="FLAC") as sound:
        for _ in range(4 * 60):
            sound.write(np.zeros(60 * 8_000, np.int16))
    return file.getvalue()


def test_hours_of_silence_hold_nobody_up(server, me, silence):
    assert len(silence) < 500_000
    (row,) = json.loads(me.classify(silence).content)
    assert "more than 3 h" in row["error"], "its header says so"
    unstated = bytearray(silence)  # the length that a stream does not state is 0
    unstated[21] &= 0xF0
    unstated[22:26] = bytes(4)
    recordings = [me.add(bytes(unstated)) for _ in range(6)]
    assert answered_in_time(server.url)
    said = me.wait(recordings[0], ("working",))
    while me.json(recordings[0])["heard_s"] <= said["heard_s"]:  # it goes on
        assert answered_in_time(server.url)
    for recording in recordings:
        assert me.ask(recording, method="DELETE").status == 204
    assert answered_in_time(server.url)


def test_what_belongs_to_another_session_is_not_there(me, server):
    recording = me.add()
    me.wait(recording)
    mine = me.headers["Cookie"]
    thief = Visitor(server.url, "127.0.0.2")
    altered = mine[:-5] + ("A" if mine[-5] != "A" else "B") + mine[-4:]
    for cookie in (None, "other", altered, mine.split(".")[0], "voxsight_session=",
                   'voxsight_session="; x=y'):
        if cookie == "other":
            thief.ask("/page/info")
        elif cookie:
            thief.headers["Cookie"] = cookie
        for what in ("", "/sound", "/peaks", "/heat_map"):
            assert thief.ask(recording + what).status == 404
        assert thief.ask(f"{recording}/keep", b"").status == 404
        assert thief.ask(recording, method="DELETE").status == 404
    assert me.ask(recording).status == 200


def test_a_session_is_signed_and_no_script_reads_it(server):
    found = Visitor(server.url).ask("/page/info")
    attributes = found.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes)
    assert "Secure" not in attributes
    spoofed = Visitor(server.url).ask("/page/info", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" not in spoofed.headers["Set-Cookie"], "nobody said that there is a proxy"


def test_every_response_has_its_headers(me):
    for found in (me.ask("/"), me.ask("/nothing"), me.ask("/page/info"), me.classify(),
                  me.ask("/api/classify", b""), me.ask("/", headers={"Host": "elsewhere"})):
        policy = found.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy and "*" not in policy
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert found.headers["Referrer-Policy"] == "no-referrer"
        assert found.headers["Server"] is None


@pytest.mark.parametrize("headers, status", [
    ({"Host": "elsewhere.example"}, 403), ({"Host": ""}, 403), ({"Host": "127.0.0.1.evil"}, 403),
    ({"Host": "[::1"}, 403), ({"Host": "localhost."}, 200),
    ({"Origin": "https://elsewhere.example"}, 403), ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403), ({"Sec-Fetch-Site": "same-origin"}, 200)])
def test_other_sites_are_refused(me, headers, status):
    body, kind = form(FOX)
    assert me.ask("/api/classify", body, {**kind, **headers}).status == status


def test_where_others_are_let_in_only_its_names_lead_to_it(public):
    """DNS rebinding: Host and Origin are both the attacker's name."""
    me = Visitor(public.url)
    body, kind = form(FOX)
    for host, status in (("evil.example", 403), ("voices.example", 200), ("VOICES.example:80", 200),
                         ("192.168.1.2:7860", 200), ("localhost", 200)):
        headers = {**kind, "Host": host, "Origin": f"http://{host}"}
        assert me.ask("/api/classify", body, headers).status == status, host
        assert me.ask("/", headers={"Host": host}).status == status


def test_nothing_is_kept_where_others_are_let_in(public):
    me = Visitor(public.url)
    assert me.json("/page/info")["keep"] is False
    recording = me.add()
    me.wait(recording)
    assert me.ask(f"{recording}/keep", b"").status == 403
    assert set(os.listdir(public.folder)) <= {"my_wavs", "secret.wav"}


def test_what_is_kept_is_no_sample(server, me):
    recording = me.add()
    me.wait(recording)
    kept = server.folder / me.json(f"{recording}/keep", b"")["kept"]
    assert kept.read_bytes() == FOX and kept.parent.name == "kept_wavs"
    assert len(me.json("/page/info")["samples"]) == 8
    text = me.add(b"no sound")
    assert me.wait(text)["state"] == "failed"
    assert me.ask(f"{text}/keep", b"").status == 409, "what cannot be decoded is not kept"


def test_rates_are_bounded_where_others_are_let_in(public):
    greedy = Visitor(public.url, "127.0.0.7")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: greedy.ask("/api/classify", b""), range(150)))
    refused = [one for one in found if one.status == 429]
    assert len(refused) > 50 and all(int(one.headers["Retry-After"]) >= 1 for one in refused)
    assert answered_in_time(public.url)


def test_wrong_passwords_wait_ever_longer(start, tmp_path):
    (tmp_path / "password").write_text("päss\n")
    url = start("--user", "me", "--password-file", tmp_path / "password").url

    def token(text):
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    attacker = Visitor(url, "127.0.0.8")
    assert attacker.ask("/").status == 401
    assert attacker.ask("/").headers["WWW-Authenticate"].startswith("Basic ")
    for text in ("me:pass", "you:päss", "", "x" * 9_999):
        found = attacker.ask("/", headers=token(text))
    assert found.status == 429 and int(found.headers["Retry-After"]) >= 1
    assert attacker.ask("/", headers=token("me:päss")).status == 429, "whatever is tried now"
    for path in ("/page/info", "/static/app.js", "/openapi.json", "/api/classify"):
        assert Visitor(url).ask(path).status == 401
    me = Visitor(url, **token("me:päss"))
    assert me.classify().status == 200, "others get in meanwhile"
    assert Visitor(url).json("/healthz") == {"status": "ok"}


def test_behind_a_proxy_clients_have_addresses_and_cookies_are_secure(start):
    url = start("--behind-proxy", "--no-auth", "--name", "voices.example").url
    proxy = Visitor(url, Host="voices.example", **{"X-Forwarded-Proto": "https"})
    found = proxy.ask("/page/info", headers={"X-Forwarded-For": "203.0.113.5"})
    assert "Secure" in found.headers["Set-Cookie"].split("; ")
    assert found.headers["Strict-Transport-Security"]
    assert proxy.json("/page/info")["keep"] is False

    def asked(address):
        return [proxy.ask("/api/classify", b"", {"X-Forwarded-For": f"1.2.3.4, {address}"}).status
                for _ in range(100)]

    assert 429 in asked("203.0.113.6") and asked("203.0.113.7")[0] == 415


def test_nothing_of_a_visitor_lies_on_the_disk(server, me):
    before = set(server.folder.rglob("*"))
    for content in (FOX, b"text", SECRET * 1000):
        me.wait(me.add(content))
        me.classify(content)
    assert set(server.folder.rglob("*")) == before


def test_opening_it_to_others_takes_a_decision(script, tmp_path):
    (tmp_path / "empty").write_text("\n")
    for flags, word in (
            (("--host", "0.0.0.0"), "--no-auth"), (("--host", "0.0.0.0", "--user", "me"), "both"),
            (("--behind-proxy",), "--no-auth"), (("--behind-proxy", "x", "--no-auth"), "address"),
            (("--user", "me", "--password-file", tmp_path / "empty"), "password"),
            (("--port", "70000"), "65535"), (("--model", tmp_path / "none"), "--model"),
            (("--keep-in", "my_wavs"), "samples"), (("--keep-in", "my_wavs/x"), "samples"),
            (("--keep-in", tmp_path / "x", "--samples", tmp_path), "samples")):
        done = script("serve_web", *flags)
        assert done.returncode == 2 and word in done.stderr and "Traceback" not in done.stderr


def test_a_port_in_use_is_said(script, server):
    port = server.url.split(":")[2]
    done = script("serve_web", "--port", port)
    assert done.returncode == 2 and port in done.stderr and "Traceback" not in done.stderr
