"""The service: its routes, and what they share."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from voxsight.network.folder import ModelFolder
from voxsight.web.access import CLIENT, DRAIN, SESSION, Access
from voxsight.web.answering import Answerer, Stopped, Task
from voxsight.web.drawing import HeatMapArtist
from voxsight.web.limits import FOR_ONESELF, Limits
from voxsight.web.live import LiveAnswers
from voxsight.web.recordings import HeldRecording, Keeper, Recordings
from voxsight.web.refusals import Refusal, failure
from voxsight.web.samples import offered_samples
from voxsight.web.uploads import Budget, Upload, read_upload

STATIC = Path(__file__).parent / "static"
SWEEP_S = 15.0  # between looks for recordings that nobody asks about


def build_app(model: ModelFolder | str | os.PathLike, *, hosts: Sequence[str] | None = None,
              any_address: bool = False, credentials: tuple[str, str] | None = None,
              samples: str | os.PathLike | None = None, keep_in: str | os.PathLike | None = None,
              limits: Limits = FOR_ONESELF) -> Access:
    """Page and HTTP interface, behind the middleware that decides who reaches them.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        A model folder.
    hosts, any_address, credentials
        As for `Access`.
    samples : str or os.PathLike, optional
        Folder of recordings that the page offers (default: the synthetic voices).
    keep_in : str or os.PathLike, optional
        Folder for recordings that visitors keep (default: they cannot).
    limits : Limits

    Returns
    -------
    Access
        An ASGI application.

    Raises
    ------
    UsageError
        If the model cannot be loaded.
    """
    service = Service(ModelFolder.of(model), samples, keep_in, limits)
    app = Starlette(routes=service.routes(), lifespan=service.lifespan,
                    exception_handlers={HTTPException: _refused, Refusal: _raised,
                                        Exception: _failed})
    return Access(app, limits, hosts=hosts, any_address=any_address, credentials=credentials)


class Service:
    """What the routes share.

    Parameters
    ----------
    model : ModelFolder
    samples, keep_in : str or os.PathLike, optional
        As for `build_app`.
    limits : Limits
    """

    def __init__(self, model: ModelFolder, samples: str | os.PathLike | None,
                 keep_in: str | os.PathLike | None, limits: Limits) -> None:
        self.limits, self.budget = limits, Budget(limits)
        self.answerer = Answerer(model, limits)
        self.recordings = Recordings(self.answerer, limits)
        self.artist = HeatMapArtist(model.path, limits)
        self.live = LiveAnswers(self.answerer.model, self.recordings, self.budget, limits)
        self.samples = offered_samples(samples)
        self.keeper = Keeper(keep_in, limits) if keep_in is not None else None

    def routes(self) -> list[BaseRoute]:
        """All routes."""
        recording = "/page/recordings/{id}"
        return [
            Route("/", _file("index.html")), Route("/api", _file("api.html")),
            Route("/favicon.ico", _file("icon.svg")),
            Route("/openapi.json", _file("openapi.json")),
            Route("/healthz", _health),
            Route("/api/classify", self._classify, methods=["POST"]),
            Route("/page/info", self._info),
            Route("/page/recordings", self._add, methods=["POST"]),
            Route(recording, self._ask), Route(recording, self._forget, methods=["DELETE"]),
            Route(f"{recording}/sound", self._sound), Route(f"{recording}/peaks", self._peaks),
            Route(f"{recording}/heat_map", self._heat_map),
            Route(f"{recording}/keep", self._keep, methods=["POST"]),
            WebSocketRoute("/page/live", self.live.listen),
            Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Forget what is old while serving, and everything at the end."""
        sweep = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweep.cancel()
            self.recordings.forget_all()
            self.answerer.close()
            await asyncio.to_thread(self.artist.close)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP_S, self.limits.idle_s))
            self.recordings.forget_old()

    async def _classify(self, request: Request) -> Response:
        """The rows of ``deploy_model.py --json`` for the file in a form."""
        async with self._uploaded(request) as upload:
            task = Task()
            future = asyncio.wrap_future(self.answerer.submit(upload, task))
            await _unless_gone(request, future, task)
            heard = future.result()
        return JSONResponse([heard.prediction.to_row()])

    async def _info(self, request: Request) -> Response:
        return JSONResponse({
            "confidence": self.answerer.model.min_confidence,
            "samples": [{"name": name, "title": title}
                        for name, (title, _) in self.samples.items()],
            "keep": self.keeper is not None, "max_bytes": self.limits.file_bytes,
            "longest_s": self.limits.longest_s})

    async def _add(self, request: Request) -> Response:
        if (sample := request.query_params.get("sample")) is not None:
            upload = self._sample(request, sample)
        else:
            async with self._uploaded(request, keep=True) as upload:
                pass
        try:
            id_ = self.recordings.add(request.scope[SESSION], upload)
        except Refusal:
            upload.close()
            raise
        return JSONResponse({"id": id_}, 202)

    def _sample(self, request: Request, name: str) -> Upload:
        if name not in self.samples:
            raise Refusal(404, "found no such sample, expected one that the page offers")
        path = self.samples[name][1]
        upload = Upload(request.scope[CLIENT], self.budget)
        upload.name = path.name
        try:
            upload.count(path.stat().st_size)
            upload.content = path.read_bytes()
        except OSError:
            upload.close()
            raise Refusal(404, "found the sample no longer, expected its file; choose "
                               "another") from None
        return upload

    @contextlib.asynccontextmanager
    async def _uploaded(self, request: Request, keep: bool = False) -> AsyncIterator[Upload]:
        """The file in a form; forgotten when the block ends, or if it fails."""
        upload = Upload(request.scope[CLIENT], self.budget)
        try:
            await read_upload(_body(request), request.headers.get("content-type", ""), upload,
                              self.limits)
            yield upload
        except BaseException:
            upload.close()
            raise
        if not keep:
            upload.close()

    def _held(self, request: Request) -> HeldRecording:
        return self.recordings.of(request.scope[SESSION], request.path_params["id"])

    def _done(self, request: Request) -> HeldRecording:
        held = self._held(request)
        if held.task.state != "done":
            raise Refusal(409, f"found a recording that is {held.task.state}, expected one that "
                               "is done; ask again later", 1)
        return held

    async def _ask(self, request: Request) -> Response:
        return JSONResponse(self._held(request).to_dict())

    async def _forget(self, request: Request) -> Response:
        self._held(request)
        self.recordings.forget(request.path_params["id"])
        return Response(status_code=204)

    async def _peaks(self, request: Request) -> Response:
        heard = self._done(request).heard
        assert heard is not None  # it is done
        return JSONResponse({"duration_s": heard.prediction.duration_s, "peaks": heard.peaks})

    async def _sound(self, request: Request) -> Response:
        held = self._done(request)
        if held.sound is None:
            assert held.heard is not None  # it is done
            sound = await asyncio.wrap_future(self.answerer.listening(
                held.upload, held.heard.prediction.duration_s or 0.0))
            if held.sound is None:
                held.upload.count(len(sound))
                held.sound = sound
        return _ranged(request, held.sound, "audio/mpeg")

    async def _heat_map(self, request: Request) -> Response:
        held = self._done(request)
        if held.heat_map is None and held.can_be_explained:
            assert held.heard is not None  # it can be explained
            held.heat_map = await asyncio.wrap_future(self.artist.draw(
                held.upload, held.heard.prediction, held.heard.n_windows))
        if held.heat_map is None:
            raise Refusal(404, "found nothing to draw, expected sound that was heard")
        return Response(held.heat_map, media_type="image/png")

    async def _keep(self, request: Request) -> Response:
        held = self._done(request)
        if self.keeper is None:
            raise Refusal(403, "found that nothing is kept here, expected a server that was "
                               "started with --keep-in")
        path = await asyncio.to_thread(self.keeper.keep, held.upload.content)
        return JSONResponse({"kept": f"{path.parent.name}/{path.name}"})


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        path = STATIC / name
        if not path.is_file():
            raise HTTPException(404)
        return FileResponse(path)

    return send


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk


async def _unless_gone(request: Request, future: asyncio.Future, task: Task) -> None:
    """Wait for a future; stop its task if the client leaves or waits no longer."""
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({leaving, future}, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            task.stop()
            with contextlib.suppress(Stopped):
                await future
            raise ConnectionError
    finally:
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _ranged(request: Request, content: bytes, media_type: str) -> Response:
    """The part of the content that is asked for, so that a browser can jump in it."""
    headers = {"Accept-Ranges": "bytes"}
    unit, _, text = request.headers.get("range", "").partition("=")
    first, _, last = text.partition("-")
    if unit.strip() != "bytes" or not first.isdecimal() or not (not last or last.isdecimal()):
        return Response(content, media_type=media_type, headers=headers)
    start, end = int(first[:15]), min(int(last[:15] or len(content)), len(content) - 1)
    if start > end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start: end + 1], 206, headers, media_type)


async def _refused(request: Request, error: Exception) -> Response:
    """In words what the framework refuses with a status."""
    assert isinstance(error, HTTPException)
    words = {404: "found nothing here, expected a path of this server; see /api",
             405: f"found {request.method}, expected {(error.headers or {}).get('Allow', '')}"}
    text = words.get(error.status_code, "found a request that is not understood; see /api")
    if error.status_code == 405 and request.url.path == "/api/classify":
        text += (", a form with a file: curl -F file=@a.wav "
                 f"{request.url.scheme}://{request.url.netloc}/api/classify")
    return JSONResponse({"error": text}, error.status_code, dict(error.headers or {}))



async def _raised(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    await request.scope[DRAIN]()  # many clients read no response before all was sent
    return error.response()


async def _failed(request: Request, error: Exception) -> Response:
    return failure().response()
