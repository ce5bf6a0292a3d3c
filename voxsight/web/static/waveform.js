// A waveform with its segments: a click plays from there, a segment plays alone.

import { clock, make } from "./dom.js";

const LETTERS = { female: "F", male: "M", uncertain: "?" };

export class Waveform {
  /** `peaks` in [0, 1] over `duration` seconds; `audio` is the element that plays. */
  constructor(peaks, duration, segments, audio) {
    Object.assign(this, { peaks, duration, audio, end: Infinity });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.head = make("i", { className: "head" });
    this.parts = segments.map((segment) => this.part(segment));
    this.element = make("div", { className: "wave", tabIndex: 0, role: "slider",
      "aria-label": "place in the recording; arrow keys move, space plays or pauses",
      "aria-valuemin": 0, "aria-valuemax": duration.toFixed(1) },
    this.canvas, ...this.parts, this.head);
    this.element.addEventListener("click", (event) => this.clicked(event));
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    audio.addEventListener("timeupdate", () => this.moved());
    audio.addEventListener("play", () => this.follow());
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.redraw = () => this.draw();
    document.addEventListener("theme", this.redraw);
    this.moved();
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener("theme", this.redraw);
    this.audio.pause();
  }

  part(segment) {
    const part = make("div", { className: `part ${segment.label}`, textContent: "",
      title: `${clock(segment.start_s)} ${segment.label}` });
    const share = (segment.end_s - segment.start_s) / this.duration;
    part.style.left = `${100 * segment.start_s / this.duration}%`;
    part.style.width = `${100 * share}%`;
    if (share > 0.03) part.textContent = LETTERS[segment.label] ?? "";
    return part;
  }

  /** Plays from `start` to `end`, seconds. */
  play(start, end = Infinity) {
    this.audio.currentTime = start;
    this.end = end;
    this.audio.play().catch(() => {}); // a pause at once is no error
  }

  clicked(event) {
    const box = this.element.getBoundingClientRect();
    this.play(this.duration * (event.clientX - box.left) / box.width);
  }

  pressed(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10,
      PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined) {
      const place = this.audio.currentTime + step;
      this.audio.currentTime = Math.min(this.duration, Math.max(0, place));
      this.end = Infinity;
    } else if (event.key === " " || event.key === "Enter") {
      this.end = Infinity;
      if (this.audio.paused) this.audio.play();
      else this.audio.pause();
    } else return;
    event.preventDefault();
  }

  follow() {
    this.moved();
    if (!this.audio.paused) requestAnimationFrame(() => this.follow());
  }

  moved() {
    const now = this.audio.currentTime || 0;
    if (now >= this.end) {
      this.audio.pause();
      this.end = Infinity;
    }
    this.head.style.left = `${100 * Math.min(1, now / this.duration)}%`;
    this.element.setAttribute("aria-valuenow", now.toFixed(1));
    this.element.setAttribute("aria-valuetext", `${clock(now)} of ${clock(this.duration)}`);
  }

  draw() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: width * scale, height: height * scale });
    const brush = this.canvas.getContext("2d");
    brush.scale(scale, scale);
    brush.fillStyle = getComputedStyle(this.canvas).color;
    const middle = (height - 20) / 2; // the segments lie below
    const loudest = Math.max(0.05, ...this.peaks);
    for (let x = 0; x < width; x += 3) {
      const first = Math.floor(x / width * this.peaks.length);
      const last = Math.max(first + 1, Math.floor((x + 3) / width * this.peaks.length));
      const peak = Math.max(0, ...this.peaks.slice(first, last)) / loudest;
      const half = Math.max(0.5, peak * (middle - 3));
      brush.fillRect(x, middle - half, 2, 2 * half);
    }
  }
}
