// Light and dark: as the system has it, until the switch says otherwise.

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const button = document.getElementById("theme");

function stored() {
  try { return localStorage.getItem("theme"); } catch { return null; } // storage may be forbidden
}

function show() {
  const dark = (root.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
  button.setAttribute("aria-pressed", dark);
  document.dispatchEvent(new Event("theme"));
}

if (stored()) root.dataset.theme = stored();
show();
systemDark.addEventListener("change", show);
button.addEventListener("click", () => {
  root.dataset.theme = button.getAttribute("aria-pressed") === "true" ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it holds until reload */ }
  show();
});
