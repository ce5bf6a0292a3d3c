// What the page asks of its server. Every failure is an `Error` whose message is a sentence.

import { sentence } from "./dom.js";

const LOST = "The server cannot be reached. See that it is running and that you are connected, "
  + "then try again.";

/** A refusal: `status` as in HTTP, `waitS` seconds to wait before asking again (0: no use). */
export class Refusal extends Error {
  constructor(words, status = 0, waitS = 0) {
    super(words);
    Object.assign(this, { status, waitS });
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(LOST);
  }
  if (answer.ok) return answer;
  throw await refusal(answer);
}

async function refusal(answer) {
  const said = await answer.json().then((body) => body.error, () => "") || "";
  const waitS = Number(answer.headers.get("Retry-After")) || 5;
  const again = `Try again in ${Math.ceil(waitS)} s.`;
  const sentences = {
    401: "The password is missing or wrong. Reload the page and enter it again.",
    404: "The server has forgotten this recording. Give it again.",
    408: "The upload was too slow. Try a smaller file or a better connection.",
    413: "The file is too large. Cut it or compress it.",
    429: "That was too much at once.",
    503: "The server has too much to do.",
  };
  const words = said ? sentence(said)
    : sentences[answer.status] || `The server failed (${answer.status}). Try again.`;
  const busy = answer.status === 429 || answer.status === 503;
  if (!busy) return new Refusal(words, answer.status);
  return new Refusal(`${sentences[answer.status]} ${again}`, answer.status, waitS);
}

const of = (id, what = "") => `/page/recordings/${encodeURIComponent(id)}${what}`;

export const info = async () => (await ask("/page/info")).json();

/** Gives a recording to the server; its id. `source` is a File or the name of a sample. */
export async function give(source, signal) {
  let path = "/page/recordings";
  let body;
  if (typeof source === "string") path += `?sample=${encodeURIComponent(source)}`;
  else {
    body = new FormData();
    body.append("file", source, source.name);
  }
  return (await (await ask(path, { method: "POST", body, signal })).json()).id;
}

export const state = async (id) => (await ask(of(id))).json();
export const peaks = async (id) => (await ask(of(id, "/peaks"))).json();
export const sound = async (id) => (await ask(of(id, "/sound"))).blob();
export const heatMap = async (id) => (await ask(of(id, "/heat_map"))).blob();
export const keep = async (id) => (await ask(of(id, "/keep"), { method: "POST" })).json();
/** Stops and forgets; what the server no longer has is forgotten already. */
export const forget = (id) => fetch(of(id), { method: "DELETE", keepalive: true }).catch(() => {});

/** A WebSocket for live sound. */
export function liveSocket() {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/page/live`);
  socket.binaryType = "arraybuffer";
  return socket;
}

export const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
