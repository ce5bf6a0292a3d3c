"""The page, built with Gradio, its HTTP interface, and the server of both."""

import asyncio
import contextlib
import os
import socket
import tempfile
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import fastapi
import gradio
import soundfile

from voxsight.corpora import sound_files
from voxsight.errors import UsageError
from voxsight.web.answer import SCRIPT, STYLE, answer_html
from voxsight.web.guard import COOKIE, MAX_BYTES, Guard
from voxsight.web.service import Service, keep_recording, listening

INTRODUCTION = """# voxsight
Is this voice labelled female or male, how sure is that, and what was heard?"""
MEANING = """**What the label means.** Corpora of speech say of each speaker *female* or *male*; a
label says how they label voices like this one. It does not say who somebody is, how they
identify, or how they want to be addressed, and it is wrong for some voices:
high-pitched men, low-pitched women, children, whispers. Do not use it to decide about people.

Everything stays on this machine. A recording is deleted after the answer unless *keep* is
ticked."""
_NOTHING = ("<p role='alert'>Record something, upload a file or pick a sample first. A recording "
            "is ready when its waveform shows.")
SWEEP_S, UNUSED_S = 60, 600  # uploads that nobody asks about are deleted after ten minutes


def build_page(service, guard, samples="my_wavs", keep_in="my_wavs"):
    """The page.

    Parameters
    ----------
    service : service.Service
    guard : guard.Guard
        knows who uploaded what
    samples, keep_in : str or os.PathLike
        folders of samples, and for recordings that are kept

    Returns
    -------
    gradio.Blocks
    """
    offered = {Path(path).name: path for path in sound_files(samples)}
    page = _Page(service, guard, offered, keep_in)
    with gradio.Blocks(title="voxsight", analytics_enabled=False,
                       delete_cache=(SWEEP_S, UNUSED_S)) as blocks:
        gradio.Markdown(INTRODUCTION)
        sound = gradio.Audio(sources=["upload", "microphone"], type="filepath", editable=False,
                             label="a recording: upload a file, or record", elem_id="recording",
                             buttons=[])
        sample = gradio.Dropdown(list(offered), value=None, label="or a sample",
                                 visible=bool(offered), elem_id="sample")
        keep = gradio.Checkbox(False, elem_id="keep",
                               label=f"keep my recording in {Path(keep_in).name}/")
        button = gradio.Button("Classify", variant="primary", elem_id="classify")
        shown = gradio.HTML(elem_id="answer")
        gradio.Markdown(MEANING)
        about = {"inputs": [sound, sample, keep], "outputs": [shown, sample],
                 "concurrency_limit": None, "api_visibility": "private", "show_progress": "full"}
        button.click(page.answer, **about)
        sound.input(None, outputs=sample, js="() => null", api_visibility="private")
    return blocks


class _Page:
    def __init__(self, service, guard, offered, keep_in):
        self.service, self.guard = service, guard
        self.offered, self.keep_in = offered, keep_in

    def answer(self, sound, sample, keep, request: gradio.Request,
               progress=gradio.Progress()):
        """Answers as HTML, the first without the picture."""
        if sample in self.offered:
            yield from self._shown(self.offered[sample], sample, "", progress)
        elif not sound:
            yield _NOTHING, None
        elif not self.guard.owns(request.cookies.get(COOKIE), sound):
            yield "<p role='alert'>That file is not of this session; upload it again.", None
        else:
            try:
                kept = str(keep_recording(sound, self.keep_in)) if keep else ""
                yield from self._shown(sound, Path(sound).name, kept, progress)
            finally:
                self.guard.forget(sound)

    def _shown(self, path, name, kept, progress):
        total_s = _duration_s(path)

        def heard_s(seconds):
            progress(min(seconds / total_s, 1.0) if total_s else None,
                     desc=f"{seconds:.0f} s heard")

        heard = self.service.submit(path, name, heard_s).result()
        confidence = self.service.model.min_confidence
        yield answer_html(heard, confidence, kept=kept), None
        if not heard.prediction.error:
            yield answer_html(heard, confidence, self.service.heat_map(heard),
                              *listening(path, heard), kept), None


def _duration_s(path):
    with contextlib.suppress(soundfile.SoundFileError, OSError):
        return soundfile.info(path).duration
    return None


def build_app(model, *, hosts=None, credentials=None, samples="my_wavs", keep_in="my_wavs",
              **limits):
    """Everything that is served, guarded.

    Parameters
    ----------
    model : str or os.PathLike
        model folder
    hosts, credentials
        as for `guard.Guard`
    samples, keep_in
        as for `build_page`
    **limits
        as for `guard.Guard`

    Returns
    -------
    guard.Guard
        an ASGI application

    Raises
    ------
    UsageError
        if the model cannot be loaded
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    guard, service = Guard(app, hosts=hosts, credentials=credentials, **limits), Service(model)

    @app.post("/api/classify")
    async def classify(request: fastapi.Request):
        return await _classify(request, service)

    gradio.mount_gradio_app(
        app, build_page(service, guard, samples, keep_in), path="", footer_links=[],
        run_history=False, max_file_size=MAX_BYTES, show_error=True, css=STYLE, head=SCRIPT,
        theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        ssr_mode=False, pwa=False, enable_monitoring=False, mcp_server=False)
    return guard


async def _classify(request, service):
    """Rows of the contract's JSON for the files of a form."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise fastapi.HTTPException(415, "expected a form with a file: curl -F file=@a.wav")
    async with request.form(max_files=1, max_fields=1) as form:
        upload = form.get("file")
        if upload is None or isinstance(upload, str):
            raise fastapi.HTTPException(422, "found no file in the form, expected one named "
                                             "file: curl -F file=@a.wav")
        with tempfile.NamedTemporaryFile(suffix=Path(upload.filename or "").suffix[:8]) as own:
            while block := await upload.read(2**20):
                own.write(block)
            own.flush()
            future = service.submit(own.name, upload.filename or "recording")
            heard = await asyncio.wrap_future(future)
    return [heard.prediction.to_row()]


def serve(app, host, port, ready=None):
    """Serve until interrupted.

    Parameters
    ----------
    app : ASGI application
    host : str
    port : int
        0 takes a free one
    ready : callable, optional
        told the port once it answers

    Raises
    ------
    UsageError
        if nothing can be served there
    """
    import uvicorn

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening_at = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: found '{error.strerror}', expected to "
                         "serve there; name another --port, or 0 for a free one") from error

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            if ready:
                ready(listening_at.getsockname()[1])

    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_keep_alive=30)
    Server(config).run(sockets=[listening_at])
