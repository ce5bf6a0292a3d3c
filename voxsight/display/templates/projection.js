// Draws `rows` as circles: per row sound, name, mistake, values by column, position by view.
const plane = document.getElementById("plane"), sound = document.getElementById("sound");
const view = document.getElementById("view"), colour = document.getElementById("colour");
const said = document.getElementById("said"), legend = document.getElementById("legend");
const WIDTH = 800, HEIGHT = 600, MARGIN = 10;  // of the SVG's view box
const MAX_IN_LEGEND = 40;

function svgElement(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  return element;
}

function circleOf(row) {
  const values = Object.values(row.values).join(", ") + (row.mistake ? ", mistake" : "");
  const description = row.name + ": " + values;
  const circle = svgElement("circle", {
    r: 4, tabindex: 0, role: "button", "fill-opacity": 0.75, "aria-label": description
  });
  if (row.mistake) circle.setAttribute("stroke", "currentColor");
  const tooltip = svgElement("title", {});
  tooltip.textContent = description;
  circle.append(tooltip);
  const play = () => {
    said.textContent = description;
    sound.src = row.sound;
    sound.play().catch(() => { said.textContent = row.name + ": could not be played here"; });
  };
  circle.addEventListener("click", play);
  circle.addEventListener("keydown", event => { if (event.key === "Enter") play(); });
  return circle;
}

// Function that maps the values of one axis to 10 to `size` - 10.
function scale(values, size) {
  const low = Math.min(...values), high = Math.max(...values);
  return value => MARGIN + (size - 2 * MARGIN) * (value - low) / (high - low || 1);
}

function legendItem(name, fill) {
  const item = document.createElement("span");
  item.textContent = "\u25cf " + name + "  ";
  item.style.color = fill;
  return item;
}

function draw() {
  const names = [...new Set(rows.map(row => row.values[colour.value]))].sort();
  const fillOf = name => `hsl(${names.indexOf(name) * 360 / names.length} 70% 50%)`;
  const positions = rows.map(row => row.position[view.value]);
  const xScale = scale(positions.map(([x]) => x), WIDTH);
  const yScale = scale(positions.map(([, y]) => y), HEIGHT);
  circles.forEach((circle, i) => {
    const [x, y] = positions[i];
    circle.setAttribute("cx", xScale(x));
    circle.setAttribute("cy", HEIGHT - yScale(y));
    circle.setAttribute("fill", fillOf(rows[i].values[colour.value]));
  });
  legend.replaceChildren(
    ...names.slice(0, MAX_IN_LEGEND).map(name => legendItem(name, fillOf(name))));
}

const circles = rows.map(circleOf);
plane.append(...circles);
view.addEventListener("change", draw);
colour.addEventListener("change", draw);
draw();
