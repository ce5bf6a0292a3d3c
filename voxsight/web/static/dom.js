// Elements, texts and times, as every part of the page makes them.

/** An element; properties that start with "aria-", "data-" or are `role` become attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Seconds as 1:02.3 or 1:02:03.4. */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const [minutes, rest] = [Math.floor(tenths / 600), (tenths % 600) / 10];
  const tail = rest.toFixed(1).padStart(4, "0");
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

/** A text with a capital at its beginning and a full stop at its end. */
export function sentence(text) {
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** How probable a label is, in words: 97 %, or for what is uncertain 54 % female. */
export function sureness(label, pFemale) {
  if (label === "no_speech" || pFemale === null || pFemale === undefined) return "";
  const percent = (p) => (p > 0.99 ? "over 99 %" : `${Math.round(100 * p)} %`);
  if (label === "uncertain") return `${percent(pFemale)} female`;
  return percent(label === "female" ? pFemale : 1 - pFemale);
}

/** Show a level in [0, 1] on a meter, in dB below full scale. */
export function showLevel(meter, peak) {
  const decibels = Math.max(-60, Math.round(20 * Math.log10(Math.max(peak, 1e-5))));
  const clipped = peak >= 0.999;
  meter.firstElementChild.style.width = `${100 * (1 + decibels / 60)}%`;
  meter.classList.toggle("clipped", clipped);
  meter.setAttribute("aria-valuenow", decibels);
  meter.setAttribute("aria-valuetext", clipped ? "clipped" : `${decibels} dB`);
}

/** A sentence where errors are shown; an empty one hides it. */
export function complain(sentence) {
  const place = byId("message");
  place.textContent = sentence;
  place.hidden = !sentence;
}

/** Whether the visitor asked for less motion. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
