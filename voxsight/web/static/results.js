// The list of recordings: a row each, from waiting to answered, and the CSV of all.

import * as api from "./api.js";
import * as csv from "./csv.js";
import { answer, headline, twoVoices } from "./answer.js";
import { byId, clock, make, sentence, sureness } from "./dom.js";

const PATIENCE = 20; // times that a busy server is asked again
const POLLS_LOST = 5; // in a row before a recording is given up
const rows = [];
let info = { confidence: 0.9, keep: false };
let giving = Promise.resolve(); // uploads go one after the other

export function configure(found) {
  info = found;
}

/** Adds a row for a File, a sample's name, or a recording that the server has ({id}), above
 * the row `before` (default: the first). If it `opens`, its answer is shown at once. */
export function add(source, name, opens = true, before = byId("list").firstChild) {
  const row = new Row(source, name, opens);
  rows.push(row);
  byId("list").insertBefore(row.element, before);
  giving = giving.then(() => row.start());
  refresh();
  return row;
}

export function closeAll() {
  rows.forEach((row) => row.show(false));
}

export function forgetAll() {
  [...rows].forEach((row) => row.remove());
  byId("results").focus();
}

function refresh() {
  byId("empty").hidden = rows.length > 0;
  byId("clear").hidden = rows.length === 0;
  const answered = rows.filter((row) => row.heard?.row).map((row) => row.heard.row);
  const link = byId("csv");
  URL.revokeObjectURL(link.href);
  link.hidden = answered.length === 0;
  if (answered.length) link.href = csv.address(csv.answers(answered));
}

function say(sentence) {
  byId("said").textContent = sentence;
}

class Row {
  constructor(source, name, opens) {
    Object.assign(this, { source, name, opens, id: source.id, opened: false, gone: false });
    this.summary = make("span", { className: "short", textContent: "waiting" });
    this.progress = make("progress", { "aria-label": `progress of ${name}` });
    this.open = make("button", { type: "button", className: "open", disabled: true,
      "aria-expanded": "false" },
    make("span", { className: "name", textContent: name, title: name }), this.summary,
    this.progress);
    this.stop = make("button", { type: "button", className: "small quiet", textContent: "Stop",
      "aria-label": `stop ${name}` });
    this.again = make("button", { type: "button", className: "small", textContent: "Try again",
      hidden: true, "aria-label": `try ${name} again` });
    this.problem = make("p", { className: "error", hidden: true });
    this.element = make("li", {},
      make("div", { className: "row" }, this.open, this.again, this.stop), this.problem);
    this.open.addEventListener("click", () => this.show(!this.opened));
    this.stop.addEventListener("click", () => this.stopped());
    this.again.addEventListener("click", () => this.retry());
  }

  /** Gives the recording to the server; the answer is waited for beside further uploads. */
  async start() {
    if (this.gone) return;
    this.abort = new AbortController();
    try {
      this.id ??= await this.given();
      if (this.gone) api.forget(this.id);
      else this.follow().catch((error) => this.failed(error.message));
    } catch (error) {
      if (!this.gone) this.failed(error.message);
    }
  }

  async given() {
    for (let i = 0; ; i++) {
      try {
        this.tell("uploading");
        return await api.give(this.source, this.abort.signal);
      } catch (error) {
        if (!error.waitS || i === PATIENCE || this.gone) throw error;
        this.tell(`busy, again in ${Math.ceil(error.waitS)} s`);
        await api.sleep(error.waitS);
      }
    }
  }

  async follow() {
    let [wait, lost] = [0.15, 0];
    while (!this.gone) {
      try {
        const heard = await api.state(this.id);
        lost = 0;
        if (!this.gone && this.took(heard)) return;
      } catch (error) {
        if ((error.status && !error.waitS) || ++lost > POLLS_LOST) throw error;
        this.tell("connection lost, trying again");
        wait = Math.max(wait, error.waitS);
      }
      await api.sleep(wait);
      wait = Math.min(1, wait * 1.3);
    }
  }

  /** Shows a state; whether it is the last one. */
  took(heard) {
    if (heard.row && ["done", "failed"].includes(heard.state)) this.answered(heard);
    else if (heard.state === "failed") this.failed(sentence(heard.error || "it failed"));
    else if (heard.state === "stopped") this.failed("Stopped.");
    else {
      const { heard_s: now, stated_s: all } = heard;
      if (all > 0) Object.assign(this.progress, { max: all, value: Math.min(now, all) });
      this.tell(heard.state === "waiting" ? "waiting"
        : now > 0 ? `heard ${clock(now)}${all > 0 ? ` of ${clock(all)}` : ""}` : "listening");
      return false;
    }
    return true;
  }

  tell(words) {
    this.summary.className = "short";
    this.summary.textContent = words;
  }

  settle() {
    this.progress.hidden = true;
    this.stop.textContent = "Remove";
    this.stop.setAttribute("aria-label", `remove ${this.name}`);
  }

  answered(heard) {
    this.heard = heard;
    this.settle();
    const { row } = heard;
    const sure = twoVoices(heard) || row.error ? "" : sureness(row.label, row.p_female);
    this.tell([headline(heard), sure].filter(Boolean).join(" · "));
    this.summary.classList.add(twoVoices(heard) ? "uncertain" : row.error ? "error" : row.label);
    this.open.disabled = false;
    say(`${this.name}: ${headline(heard)}`);
    if (this.opens) this.show(true);
    refresh();
  }

  failed(words) {
    this.settle();
    this.tell("Not answered");
    Object.assign(this.problem, { textContent: words, hidden: false });
    this.again.hidden = Boolean(this.source.id);
    say(`${this.name}: ${words}`);
    refresh();
  }

  retry() {
    this.again.hidden = this.problem.hidden = true;
    this.id = undefined;
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
    this.stop.textContent = "Stop";
    this.start();
  }

  show(opened) {
    if (opened === this.opened || !this.heard) return;
    this.opened = opened;
    this.open.setAttribute("aria-expanded", opened);
    if (opened) {
      this.shown = answer(this.id, this.name, this.heard, info);
      this.element.append(this.shown.element);
    } else {
      this.shown.close();
      this.shown.element.remove();
    }
  }

  stopped() {
    this.remove();
    byId("results").focus(); // the button that had it is gone
  }

  remove() {
    this.gone = true;
    this.abort?.abort();
    if (this.id) api.forget(this.id);
    if (this.opened) this.show(false);
    this.element.remove();
    rows.splice(rows.indexOf(this), 1);
    refresh();
  }
}
