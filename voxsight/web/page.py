"""The page, built with Gradio, its HTTP interface, and the server of both."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import fastapi
import gradio

from voxsight.errors import UsageError
from voxsight.network.folder import ModelFolder
from voxsight.sound.decoders import stated_duration_s
from voxsight.sound.folders import sound_files
from voxsight.web.answer import SCRIPT, STYLE, answer_html
from voxsight.web.guard import COOKIE, MAX_BYTES, App, Guard
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
SWEEP_S, UNUSED_S = 60, 600  # every minute, uploads that were unused for ten are deleted


def build_page(service: Service, guard: Guard, samples: str | os.PathLike = "my_wavs",
               keep_in: str | os.PathLike = "my_wavs") -> gradio.Blocks:
    """The page.

    Parameters
    ----------
    service : Service
    guard : Guard
        Knows who uploaded which file.
    samples : str or os.PathLike
        Folder of recordings that the page offers.
    keep_in : str or os.PathLike
        Folder for recordings that visitors keep.

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
        button.click(page.answer, inputs=[sound, sample, keep], outputs=[shown, sample],
                     concurrency_limit=None, api_visibility="private", show_progress="full")
        sound.input(None, outputs=sample, js="() => null", api_visibility="private")
    return blocks


class _Page:
    """Predictions for the events of the page."""

    def __init__(self, service: Service, guard: Guard, offered: Mapping[str, str],
                 keep_in: str | os.PathLike) -> None:
        self.service, self.guard = service, guard
        self.offered, self.keep_in = offered, keep_in

    def answer(self, sound: str | None, sample: str | None, keep: bool,
               request: gradio.Request,
               progress: gradio.Progress = gradio.Progress()) -> Iterator[tuple[str, None]]:
        """The prediction as HTML, first without the picture and then with it."""
        if sample is not None and sample in self.offered:
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

    def _shown(self, path: str, name: str, kept: str,
               progress: gradio.Progress) -> Iterator[tuple[str, None]]:
        total_s = stated_duration_s(path)

        def heard_s(seconds: float) -> None:
            progress(min(seconds / total_s, 1.0) if total_s else None,
                     desc=f"{seconds:.0f} s heard")

        heard = self.service.submit(path, name, heard_s).result()
        confidence = self.service.model.min_confidence
        yield answer_html(heard, confidence, kept=kept), None
        if not heard.prediction.error:
            picture = self.service.heat_map(heard)
            mp3, places = listening(path, heard)
            yield answer_html(heard, confidence, picture, mp3, places, kept), None


def build_app(model: ModelFolder | str | os.PathLike, *, hosts: Sequence[str] | None = None,
              credentials: tuple[str, str] | None = None, samples: str | os.PathLike = "my_wavs",
              keep_in: str | os.PathLike = "my_wavs", **limits: float) -> Guard:
    """Page and HTTP interface, behind the guard.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A model folder.
    hosts : sequence of str, optional
        Host names that a request may be addressed to (default: any).
    credentials : (str, str), optional
        User and password.
    samples : str or os.PathLike
        Folder of recordings that the page offers.
    keep_in : str or os.PathLike
        Folder for recordings that visitors keep.
    **limits
        ``body_s`` of `Guard`.

    Returns
    -------
    Guard
        An ASGI application.

    Raises
    ------
    UsageError
        If the model cannot be loaded.
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    guard, service = Guard(app, hosts=hosts, credentials=credentials, **limits), Service(model)

    @app.post("/api/classify", response_model=None)
    async def classify(request: fastapi.Request) -> list[dict[str, Any]]:
        return await _classify(request, service)

    gradio.mount_gradio_app(
        app, build_page(service, guard, samples, keep_in), path="", footer_links=[],
        run_history=False, max_file_size=MAX_BYTES, show_error=True, css=STYLE, head=SCRIPT,
        theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        ssr_mode=False, pwa=False, enable_monitoring=False, mcp_server=False)
    return guard


async def _classify(request: fastapi.Request, service: Service) -> list[dict[str, Any]]:
    """The rows of ``deploy_model.py --json`` for the file in a form."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise fastapi.HTTPException(415, "expected a form with a file: curl -F file=@a.wav")
    async with request.form(max_files=1, max_fields=1) as form:
        upload = form.get("file")
        if upload is None or isinstance(upload, str):
            raise fastapi.HTTPException(422, "found no file in the form, expected one named "
                                             "file: curl -F file=@a.wav")
        with tempfile.NamedTemporaryFile(suffix=Path(upload.filename or "").suffix[:8]) as copy:
            while block := await upload.read(2**20):
                copy.write(block)
            copy.flush()
            future = service.submit(copy.name, upload.filename or "recording")
            heard = await asyncio.wrap_future(future)
    return [heard.prediction.to_row()]


def serve(app: App, host: str, port: int,
          ready: Callable[[int], object] | None = None) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    app : ASGI application
    host : str
        Address to serve at.
    port : int
        0 takes a free one.
    ready : callable, optional
        Called with the port once requests are accepted.

    Raises
    ------
    UsageError
        If the address or the port cannot be used.
    """
    import uvicorn

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening_at = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: found '{error.strerror}', expected to "
                         "serve there; name another --port, or 0 for a free one") from error

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if ready:
                ready(listening_at.getsockname()[1])

    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_keep_alive=30)
    Server(config).run(sockets=[listening_at])
