// Joins the parts of the page: ways to give it a voice, live, and the list of answers.

import * as api from "./api.js";
import { byId, clock, complain, make, showLevel } from "./dom.js";
import { keepLive, startLive, stopLive } from "./live.js";
import { startRecording } from "./recorder.js";
import { add, closeAll, configure, forgetAll } from "./results.js";

let mostBytes = Infinity;
let recording = null;

async function begin() {
  try {
    const found = await api.info();
    configure(found);
    mostBytes = found.max_bytes;
    byId("sample").append(...found.samples.map(({ name, title }) =>
      make("option", { value: name, textContent: title || name })));
    byId("limits").textContent = "Or drop files here: any kind of sound or video, up to "
      + `${Math.floor(mostBytes / 2 ** 20)} MB and ${hours(found.longest_s)} each.`;
  } catch (error) {
    complain(error.message);
  }
}

function hours(seconds) {
  return seconds >= 3600 ? `${+(seconds / 3600).toFixed(1)} hours`
    : `${Math.round(seconds / 60)} minutes`;
}

function give(files) {
  complain("");
  closeAll();
  const small = [...files].filter((file) => file.size <= mostBytes);
  const large = [...files].filter((file) => file.size > mostBytes).map((file) => file.name);
  const before = byId("list").firstChild;
  small.forEach((file) => add(file, file.name, small.length === 1, before));
  if (large.length) {
    complain(`${large.join(", ")}: larger than ${Math.floor(mostBytes / 2 ** 20)} MB. `
      + "Cut it or compress it.");
  }
}

async function record() {
  const button = byId("record");
  complain("");
  button.disabled = true;
  try {
    if (recording) {
      const { stop } = recording;
      recording = null;
      const file = await stop();
      shown(false);
      give([file]);
    } else {
      recording = await startRecording((seconds, peak) => {
        byId("clock").textContent = clock(seconds);
        showLevel(document.querySelector("#recording .meter"), peak);
      });
      shown(true);
    }
  } catch (error) {
    shown(false);
    complain(error.message);
  }
  button.disabled = false;
}

function shown(on) {
  byId("recording").hidden = !on;
  byId("record").textContent = on ? "Stop and ask" : "Record";
  byId("record").classList.toggle("on", on);
  byId("live").disabled = on;
}

function live(on) {
  byId("listening").hidden = !on;
  byId("live").disabled = byId("record").disabled = on;
  (on ? byId("keep-live") : byId("live")).focus();
}

byId("record").addEventListener("click", record);
byId("live").addEventListener("click", () => {
  complain("");
  live(true);
  startLive((id) => {
    closeAll();
    add({ id }, `last 10 s at ${new Date().toTimeString().slice(0, 8)}`);
  }, () => live(false));
});
byId("keep-live").addEventListener("click", () => keepLive());
byId("stop-live").addEventListener("click", () => stopLive());
byId("files").addEventListener("change", ({ target }) => {
  give(target.files);
  target.value = ""; // so that the same file can be chosen again
});
byId("try").addEventListener("submit", (event) => {
  event.preventDefault();
  const { value, selectedOptions } = byId("sample");
  if (!value) return complain("Choose a sample first.");
  complain("");
  closeAll();
  return add(value, selectedOptions[0].textContent);
});
byId("clear").addEventListener("click", forgetAll);

const card = byId("give");
card.addEventListener("dragover", (event) => {
  event.preventDefault();
  card.classList.add("over");
});
card.addEventListener("dragleave", () => card.classList.remove("over"));
card.addEventListener("drop", (event) => {
  event.preventDefault();
  card.classList.remove("over");
  give(event.dataTransfer.files);
});
addEventListener("pagehide", forgetAll);

begin();
