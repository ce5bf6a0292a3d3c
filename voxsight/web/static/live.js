// Live: the microphone's sound goes to the server, its answers and the picture scroll along.

import { byId, calm, complain, sentence, showLevel } from "./dom.js";
import { liveSocket } from "./api.js";
import { microphone } from "./recorder.js";

const ENDED = "The server stopped listening or cannot be reached. Listen again to go on.";
const ABOUT = "The answer is about the last second and a half.";
const TRACE_S = 10;
const STEP_S = 0.2; // from one message to the next
const MOST_WAITING = 2 ** 20; // bytes; blocks are dropped while more wait to be sent
const NAMES = { female: "labelled female", male: "labelled male", uncertain: "uncertain",
  no_speech: "no speech" };

let running = null;

/** Starts listening; `kept(id)` is called with each recording of the last 10 s. */
export async function startLive(kept, ended) {
  if (running) return;
  const mine = { ended };
  running = mine;
  try {
    mine.stream = await microphone();
    if (running !== mine) return release(mine); // stopped while the browser asked
    mine.context = new AudioContext();
    await mine.context.audioWorklet.addModule("/static/worklet.js");
    if (running === mine) connect(mine, kept);
  } catch (error) {
    stopLive(error.message);
  }
}

function connect(mine, kept) {
  const { context, stream } = mine;
  const screen = new Screen();
  let problem = "";
  const socket = liveSocket();
  mine.socket = socket;
  socket.onopen = () => {
    socket.send(JSON.stringify({ rate: context.sampleRate }));
    const node = new AudioWorkletNode(context, "blocks", { numberOfOutputs: 1 });
    node.port.onmessage = ({ data }) => {
      if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < MOST_WAITING) {
        socket.send(data);
      }
    };
    // The worklet gives silence on, but it runs only where it leads to the loudspeaker.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      screen.columns(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.error) {
      problem = sentence(message.error);
      complain(problem);
    } else if (message.id) kept(message.id);
    else screen.moment(message);
  };
  socket.onclose = () => stopLive(problem || ENDED);
}

/** Keep the last seconds as a recording. */
export function keepLive(seconds = 10) {
  running?.socket?.send(JSON.stringify({ keep_s: seconds }));
}

/** Stops listening; a sentence says why if the visitor did not ask for it. */
export function stopLive(sentence = "") {
  if (!running) return;
  const stopped = running;
  running = null;
  release(stopped);
  stopped.ended();
  complain(sentence);
}

function release({ stream, context, socket }) {
  if (socket) {
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }
  stream?.getTracks().forEach((track) => track.stop());
  context?.close();
}

/** What is seen while somebody speaks. */
class Screen {
  constructor() {
    this.moments = [];
    this.label = "";
    this.scroll = byId("scroll");
    this.end = 0; // of what was drawn, in columns since the start
    this.brush = this.scroll.getContext("2d", { willReadFrequently: true });
    this.brush.fillRect(0, 0, this.scroll.width, this.scroll.height);
    byId("live-label").textContent = "listening …";
    byId("live-label").className = "verdict";
    byId("live-p").textContent = "";
    this.drawTrace();
  }

  moment(moment) {
    const { label, p_female: p, reason } = moment;
    this.moments.push(moment);
    this.moments = this.moments.filter((old) => old.end_s > moment.end_s - TRACE_S);
    showLevel(document.querySelector("#listening .meter"), moment.peak);
    byId("live-label").textContent = NAMES[label] ?? label;
    byId("live-label").className = `verdict ${label}`;
    const known = p !== null && label !== "no_speech";
    byId("live-p").textContent = known ? `p(female) ${p.toFixed(2)}` : "";
    byId("live-reason").textContent = sentence(reason) || ABOUT;
    if (label !== this.label) byId("live-said").textContent = NAMES[label] ?? label;
    this.label = label;
    this.drawTrace();
  }

  drawTrace() {
    const canvas = byId("trace");
    const brush = canvas.getContext("2d");
    const { width, height } = canvas;
    brush.clearRect(0, 0, width, height);
    const dim = getComputedStyle(byId("live-reason")).color;
    brush.strokeStyle = dim;
    brush.globalAlpha = 0.4;
    brush.setLineDash([8, 8]);
    brush.beginPath();
    brush.moveTo(0, height / 2);
    brush.lineTo(width, height / 2);
    brush.stroke();
    brush.globalAlpha = 1;
    const last = this.moments.at(-1)?.end_s ?? 0;
    const text = getComputedStyle(document.body).color;
    for (const { end_s: end, label, p_female: p } of this.moments) {
      const x = calm() ? width * ((end % TRACE_S) / TRACE_S)
        : width * (1 - (last - end) / TRACE_S) - 10;
      brush.fillStyle = label === "uncertain" || label === "no_speech" ? dim : text;
      if (label === "no_speech" || p === null) brush.fillRect(x - 3, height / 2 - 1, 6, 3);
      else brush.fillRect(x - 7, 12 + (height - 24) * (1 - p) - 5, 14, 10);
    }
  }

  /** Draws the newest columns at their time; what a slow server skipped stays black. */
  columns(buffer) {
    const [high, wide] = new Uint16Array(buffer, 0, 2);
    const grey = new Uint8Array(buffer, 4);
    if (!high || !wide) return;
    const width = Math.round(wide * TRACE_S / STEP_S); // as long as the trace
    if (this.scroll.height !== high || this.scroll.width !== width) {
      Object.assign(this.scroll, { width, height: high });
      this.brush.fillRect(0, 0, width, high);
    }
    const image = new ImageData(wide, high);
    const pixels = new Uint32Array(image.data.buffer);
    grey.forEach((value, i) => { pixels[i] = 0xff000000 | (value * 0x010101); });
    const end = Math.round(this.moments.at(-1).end_s / TRACE_S * width);
    if (calm()) {
      this.brush.putImageData(image, end % width - wide, 0);
      return;
    }
    const moved = end - this.end;
    this.end = end;
    this.brush.drawImage(this.scroll, -moved, 0);
    this.brush.fillRect(width - moved, 0, moved, high);
    this.brush.putImageData(image, width - wide, 0);
  }
}
