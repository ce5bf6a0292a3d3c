"""A prediction as a piece of HTML that contains everything it shows.

Nothing of it stays on the server.
"""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

from voxsight.answer.prediction import COLUMNS
from voxsight.answer.writers import TIMELINE_COLUMNS
from voxsight.base import files
from voxsight.web.service import MAX_SEGMENTS, Heard

HEADLINES = {"female": "labelled female", "male": "labelled male", "uncertain": "uncertain",
             "no_speech": "no speech"}
MEANINGS = {
    "female": "Corpora label voices like this one female.",
    "male": "Corpora label voices like this one male.",
    "uncertain": "The score does not reach the confidence that the model promises.",
    "no_speech": "Nobody was heard speaking; the bar says what little there is sounds like.",
}
STYLE = """
.vx{color:var(--body-text-color)} .vx h2{margin:.2em 0;font-size:1.6em}
.vx-bar{position:relative;height:2.2em;border:1px solid var(--border-color-primary);
 border-radius:6px;margin:1.6em 0 1.5em;background:var(--background-fill-secondary)}
.vx-zone{position:absolute;top:0;bottom:0;background:repeating-linear-gradient(45deg,
 transparent 0 6px,var(--border-color-primary) 6px 8px)}
.vx-mark{position:absolute;top:-.3em;bottom:-.3em;width:5px;margin-left:-2px;border-radius:3px;
 background:var(--body-text-color)}
.vx-scale{position:absolute;top:100%;font-size:.8em}
.vx-zone span{position:absolute;bottom:100%;width:100%;text-align:center;font-size:.8em}
.vx-wide{overflow-x:auto} .vx img{max-width:none;width:100%;min-width:760px;background:#fff}
.vx ol{list-style:none;padding:0;margin:.5em 0;display:flex;flex-wrap:wrap;gap:.4em}
.vx ol button{border:1px solid var(--border-color-primary);border-radius:6px;padding:.35em .6em;
 background:var(--background-fill-secondary);color:var(--body-text-color);cursor:pointer}
.vx button:focus-visible,.vx a:focus-visible{outline:3px solid var(--color-accent)}
.vx .vx-female{border-left:5px solid #b45309} .vx .vx-male{border-left:5px solid #2563eb}
.vx .vx-uncertain{border-left:5px solid #6b7280} .vx a{text-decoration:underline;margin-right:1em}
.vx-track{position:relative;height:1.4em;border-radius:4px;overflow:hidden;
 background:var(--background-fill-secondary)}
.vx-track i{position:absolute;top:0;bottom:0} i.vx-female{background:#b45309;border:0}
i.vx-male{background:#2563eb;border:0} i.vx-uncertain{background:#6b7280;border:0}
"""
# The button of a segment plays its part of the recording.
SCRIPT = """<script>
document.addEventListener("click", event => {
  const button = event.target.closest("button[data-start]");
  if (!button) return;
  const sound = button.closest(".vx").querySelector("audio");
  sound.currentTime = +button.dataset.start;
  sound.ontimeupdate = () => {
    if (sound.currentTime >= +button.dataset.end) { sound.pause(); sound.ontimeupdate = null; }
  };
  sound.play();
});
</script>"""


def answer_html(heard: Heard, min_confidence: float, picture: bytes | None = None,
                sound: str = "", places: Sequence[tuple[float, float]] = (),
                kept: str = "") -> str:
    """A prediction as HTML.

    Parameters
    ----------
    heard : Heard
    min_confidence : float
        Below it a label is uncertain.
    picture : bytes, optional
        PNG of the heat map.
    sound : str
        Recording as a data URL, as `service.listening` returns it.
    places : sequence of (float, float)
        Where each segment lies in it, seconds.
    kept : str
        Where the recording was stored, if it was.

    Returns
    -------
    str
    """
    prediction = heard.prediction
    if prediction.error:
        return _section("not answered", f"<p>{_text(prediction.path)}: {_text(prediction.error)}.")
    parts = [f"<p>{MEANINGS[prediction.label]}"
             + (f" {_text(prediction.reason).capitalize()}." if prediction.reason else ""),
             _bar(prediction.p_female, min_confidence),
             f"<p>{prediction.speech_s:.2f} s of speech in {prediction.duration_s:.2f} s"
             + (f"; kept as {_text(kept)}" if kept else "")]
    if heard.segments:
        parts.append(_timeline(heard, sound, places))
    if picture:
        parts.append(
            '<div class="vx-wide" tabindex="0" role="group" aria-label="heat map">'
            f'<img src="{_url(picture, "image/png")}" alt="Waveform, picture and heat map of '
            f'{_text(prediction.path)}: where the network found evidence"></div>')
    return _section(HEADLINES[prediction.label], *parts, _downloads(heard, picture))


def _section(headline: str, *parts: str) -> str:
    return (f'<section class="vx" role="status" aria-live="polite"><h2>{headline}</h2>'
            f'{"".join(parts)}</section>')


def _bar(p_female: float | None, min_confidence: float) -> str:
    if p_female is None:
        return "<p>There are only zeros in it, so there is no probability."
    low, high = 100 * (1 - min_confidence), 100 * min_confidence
    words = (f"probability of female {p_female:.3f}, of male {1 - p_female:.3f}; "
             f"uncertain between {low / 100:.2f} and {high / 100:.2f}")
    zone = (f'<div class="vx-zone" style="left:{low:.1f}%;width:{high - low:.1f}%">'
            "<span>uncertain</span></div>") if high > low else ""
    return (f'<div class="vx-bar" role="img" aria-label="{words}">{zone}'
            f'<div class="vx-mark" style="left:{100 * p_female:.1f}%"></div>'
            '<span class="vx-scale" style="left:0">male</span>'
            '<span class="vx-scale" style="right:0">female</span></div>'
            f"<p>p(female) = <b>{p_female:.3f}</b>, calibrated")


def _timeline(heard: Heard, sound: str, places: Sequence[tuple[float, float]]) -> str:
    total = max(heard.prediction.duration_s or 0.0, 1e-3)
    track = "".join(f'<i class="vx-{s["label"]}" style="left:{100 * s["start_s"] / total:.2f}%;'
                    f'width:{100 * (s["end_s"] - s["start_s"]) / total:.2f}%"></i>'
                    for s in heard.segments[:MAX_SEGMENTS])
    buttons = "".join(_segment(s, place) for s, place in zip(
        heard.segments, [*places, *[None] * len(heard.segments)][: MAX_SEGMENTS]))
    more = len(heard.segments) - MAX_SEGMENTS
    return ('<h3>who speaks when</h3><div class="vx-track" aria-hidden="true">' + track + "</div>"
            + (f'<audio preload="auto" src="{sound}"></audio>' if sound else "")
            + f"<ol>{buttons}</ol>" + (f"<p>and {more} more in the CSV" if more > 0 else ""))


def _segment(segment: Mapping[str, Any], place: tuple[float, float] | None) -> str:
    words = f'{_clock(segment["start_s"])} {segment["label"]} {segment["p_female"]:.2f}'
    playable = f'data-start="{place[0]:.3f}" data-end="{place[1]:.3f}"' if place else "disabled"
    return (f'<li><button type="button" class="vx-{segment["label"]}" {playable} '
            f'aria-label="hear {words}">{words}</button></li>')


def _downloads(heard: Heard, picture: bytes | None) -> str:
    rows = "".join(files.csv_lines(COLUMNS, [heard.prediction.to_row()]))
    links = [_link("answer.csv", _url(rows.encode("utf-8", "surrogateescape"), "text/csv"))]
    if heard.segments:
        rows = "".join(files.csv_lines(TIMELINE_COLUMNS, heard.segments))
        links.append(_link("timeline.csv", _url(rows.encode(), "text/csv")))
    if picture:
        links.append(_link("heat_map.png", _url(picture, "image/png")))
    return f"<p>Download: {' '.join(links)}"


def _link(name: str, url: str) -> str:
    return f'<a download="{name}" href="{url}">{name}</a>'


def _url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _text(text: str) -> str:
    return html.escape(text.encode("utf-8", "backslashreplace").decode())
