// One answer in full: label, probability, reason, who speaks when, heat map, downloads.

import * as api from "./api.js";
import * as csv from "./csv.js";
import { clock, make, sentence, sureness } from "./dom.js";
import { Waveform } from "./waveform.js";

const MOST_SEGMENTS = 500; // listed; the CSV has all
const HEADLINES = { female: "Labelled female", male: "Labelled male", uncertain: "Uncertain",
  no_speech: "No speech" };
const MEANINGS = {
  female: "Corpora label voices like this one female.",
  male: "Corpora label voices like this one male.",
  uncertain: "The score does not reach the confidence that the model promises.",
  no_speech: "Nobody was heard speaking, so there is no probability.",
};

/** The voices as words if there are two, else "". */
export function twoVoices(heard) {
  const voices = heard.voices ?? [];
  if (voices.length < 2) return "";
  return voices.map((v) => `${v.seconds.toFixed(1)} s labelled ${v.label}`).join(", ");
}

export function headline(heard) {
  if (heard.row.error) return "Not answered";
  return twoVoices(heard) ? "Two voices" : HEADLINES[heard.row.label];
}

/** The answer as an element; `close()` of what is returned releases what it holds. */
export function answer(id, name, heard, info) {
  const { row } = heard;
  const addresses = [];
  const saved = (file, text) => {
    addresses.push(csv.address(text));
    return make("a", { download: file, href: addresses.at(-1), textContent: file });
  };
  const links = make("p", { className: "links" }, "Download:",
    saved("answer.csv", csv.answers([row])));
  if (heard.segments.length) links.append(saved("timeline.csv", csv.timeline(heard.segments)));
  const element = make("div", { className: "detail" }, ...words(heard, info));
  const shown = { element, waveform: null, close() {
    addresses.forEach((address) => URL.revokeObjectURL(address));
    shown.waveform?.close();
  } };
  if (!row.error && row.label !== "no_speech") showTimeline(shown, id, heard, addresses);
  if (heard.explained && row.label !== "no_speech") showHeatMap(element, links, id, name, addresses);
  element.append(links);
  if (info.keep && !row.error) element.append(make("p", {}, keeper(id)));
  return shown;
}

function words({ row, voices }, info) {
  if (row.error) return [make("p", { className: "error", textContent: sentence(row.error) })];
  const two = twoVoices({ voices });
  const meaning = two ? `Two voices were heard: ${two}.` : MEANINGS[row.label];
  const reason = two ? "" : sentence(row.reason);
  const bar = row.label === "no_speech" || row.p_female === null ? []
    : [probability(row.p_female, info.confidence)];
  const missing = row.missing ? [make("p", {
    textContent: `Not all of it could be heard: ${row.missing}.` })] : [];
  return [
    make("p", { className: `verdict ${two ? "uncertain" : row.label}`,
      textContent: headline({ row, voices }) }),
    make("p", { textContent: `${meaning} ${reason}`.trim() }), ...bar,
    make("p", { className: "facts",
      textContent: `${figures(row, two)}${row.speech_s.toFixed(2)} s of speech in `
        + `${row.duration_s.toFixed(2)} s` }), ...missing];
}

function figures({ label, p_female: p }, two) {
  if (label === "no_speech" || p === null) return "";
  return `p(female)${two ? " over both" : ""} = ${p.toFixed(3)}, calibrated; `;
}

function probability(p, confidence) {
  const low = 1 - confidence;
  const zone = make("div", { className: "zone" }, make("span", { textContent: "uncertain" }));
  zone.style.left = `${100 * low}%`;
  zone.style.width = `${Math.max(0, 100 * (confidence - low))}%`;
  const mark = make("div", { className: "mark" });
  mark.style.left = `${100 * p}%`;
  return make("div", { className: "bar", role: "img",
    "aria-label": `probability of female ${p.toFixed(3)}, of male ${(1 - p).toFixed(3)}; `
      + `uncertain between ${low.toFixed(2)} and ${confidence.toFixed(2)}` },
  ...(confidence > low ? [zone] : []), mark,
  make("span", { className: "left", textContent: "male" }),
  make("span", { className: "right", textContent: "female" }));
}

function showTimeline(shown, id, { segments }, addresses) {
  const place = make("div", {});
  const list = make("ol", { className: "segments" });
  shown.element.append(make("h3", { textContent: "Who speaks when" }), place, list);
  const buttons = segments.slice(0, MOST_SEGMENTS).map((segment) => segmentButton(segment));
  list.append(...buttons.map((button) => make("li", {}, button)));
  if (segments.length > MOST_SEGMENTS) {
    shown.element.append(make("p", { className: "hint",
      textContent: `and ${segments.length - MOST_SEGMENTS} more in timeline.csv` }));
  }
  hear(shown, id, segments, addresses, place).then((reach) => {
    buttons.forEach((button, i) => {
      const { start_s: start, end_s: end } = segments[i];
      button.disabled = start >= reach;
      button.addEventListener("click", () => shown.waveform.play(start, end));
    });
  }, (error) => place.replaceWith(make("p", { className: "hint", textContent: error.message })));
}

function segmentButton({ start_s: start, label, p_female: p }) {
  const words = `${clock(start)} ${label} ${sureness(label, p)}`;
  return make("button", { type: "button", className: `small ${label}`, disabled: true,
    textContent: `▶ ${words}`, "aria-label": `hear ${words}` });
}

/** Shows the waveform; gives the seconds that can be played. */
async function hear(shown, id, segments, addresses, place) {
  const [{ duration_s: whole, peaks }, sound] = await Promise.all([api.peaks(id), api.sound(id)]);
  addresses.push(URL.createObjectURL(sound));
  const audio = make("audio", { src: addresses.at(-1), preload: "auto" });
  await new Promise((done) => { audio.onloadedmetadata = audio.onerror = done; });
  const reach = Math.min(whole, audio.duration || whole); // of long ones the beginning is sent
  shown.waveform = new Waveform(peaks, whole, segments, audio);
  place.append(audio, shown.waveform.element);
  if (reach < whole - 1) {
    place.append(make("p", { className: "hint",
      textContent: `The first ${clock(reach)} can be played.` }));
  }
  return reach;
}

function showHeatMap(element, links, id, name, addresses) {
  const drawing = make("p", { className: "hint", textContent: "Drawing the heat map …" });
  element.append(make("h3", { textContent: "Where the network looked" }), drawing);
  api.heatMap(id).then((image) => {
    addresses.push(URL.createObjectURL(image));
    const picture = make("img", { src: addresses.at(-1),
      alt: `Waveform, picture and heat map of ${name}: where the network found evidence` });
    drawing.replaceWith(make("div", { className: "wide", tabIndex: 0, role: "group",
      "aria-label": "heat map" }, picture));
    links.append(make("a", { download: "heat_map.png", href: addresses.at(-1),
      textContent: "heat_map.png" }));
  }, (error) => { drawing.textContent = error.message; });
}

function keeper(id) {
  const button = make("button", { type: "button", className: "small",
    textContent: "Keep the recording" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { kept } = await api.keep(id);
      button.replaceWith(make("span", { role: "status",
        textContent: kept ? `kept as ${kept}` : "kept" }));
    } catch (error) {
      button.replaceWith(make("span", { className: "error", role: "alert",
        textContent: error.message }));
    }
  });
  return button;
}
