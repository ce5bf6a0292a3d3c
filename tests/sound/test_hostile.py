"""Files that name other files or hosts are refused before anything is fetched."""

import shutil
import socket
import threading

import pytest
from conftest import MY_WAVS

from voxsight.errors import RecordingError
from voxsight.sound.recording import Recording

HOSTILE = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "hls_named_wav.wav": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.wav\n",
    "local.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n",
    "concat.ffconcat": "ffconcat version 1.0\nfile '{other}'\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                   "m=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
                'type="static"><Period><AdaptationSet><Representation id="1" bandwidth="1">'
                "<BaseURL>{url}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "list.asx": '<asx version="3.0"><entry><ref href="{url}/a.wma"/></entry></asx>',
    "list.pls": "[playlist]\nFile1={url}/a.mp3\nNumberOfEntries=1\nVersion=2\n",
    "reference.ram": "{url}/a.rm\n",
}


@pytest.fixture(scope="module")
def listening():
    """Port of a server, and the connections that were made to it."""
    server, connections = socket.create_server(("127.0.0.1", 0)), []

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1], connections
    server.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_fetched(name, listening, tmp_path):
    port, connections = listening
    other = shutil.copy(MY_WAVS / "slt_fox.wav", tmp_path / "other.wav")
    text = HOSTILE[name].format(url=f"http://127.0.0.1:{port}", port=port, other=other)
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordingError, match="no sound that can be decoded"):
        Recording(tmp_path / name).read()
    assert not connections
