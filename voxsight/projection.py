"""Many numbers per recording as points in a plane, drawn and as a page that can be heard."""

import html
import json
import os
from pathlib import Path
from urllib.parse import quote

import numpy as np

from voxsight import files
from voxsight.display import save_projection
from voxsight.report import page

METHODS = ("PCA", "UMAP")
MOST_LISTED = 9  # values of a column told apart by colour; the rest are grey


def project(values, seed=42):
    """Points in a plane, by each of `METHODS`.

    Principal components keep distances as far as two dimensions can; UMAP (McInnes et al.,
    2018) keeps neighbours.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
    seed : int

    Returns
    -------
    dict of str to np.ndarray [shape=(n, 2)]
    explained : np.ndarray [shape=(2,)]
        share of the variance that each principal component keeps
    """
    from sklearn.decomposition import PCA

    components = PCA(2, random_state=seed)
    points = {"PCA": components.fit_transform(values), "UMAP": _umap(values, seed)}
    return points, components.explained_variance_ratio_


def write_projection(out, rows, values, columns, title, seed=42):
    """Write ``projection.png`` and ``projection.html``.

    Parameters
    ----------
    out : str or os.PathLike
        folder
    rows : list of dict
        per recording ``path``, the `columns`, ``mistake`` (bool) and, where a point is a part
        of its recording, ``part``: its start and end in seconds
    values : np.ndarray [shape=(n, d)]
    columns : sequence of str
        what colours tell apart, such as ``gender``
    title : str
    seed : int
    """
    out = Path(out)
    points, explained = project(values, seed)
    title = (f"{title}: {len(rows)} recordings; two principal components keep "
             f"{explained.sum():.0%} of the variance")
    labels = {column: listed([row[column] for row in rows]) for column in columns}
    mistakes = np.array([row["mistake"] for row in rows], bool)
    save_projection(out / "projection.png", points, labels, mistakes, title)
    files.write_bytes(out / "projection.html", _page(out, rows, points, columns, title).encode())


def listed(values):
    """Values with those beyond the `MOST_LISTED` commonest called ``others``."""
    names, counts = np.unique(np.array(values, str), return_counts=True)
    kept = set(names[np.argsort(-counts, kind="stable")[:MOST_LISTED]].tolist())
    return [str(value) if str(value) in kept else "others" for value in values]


def _umap(values, seed):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread
        from umap import UMAP

        neighbours = min(15, len(values) - 1)
        # Spectral layout needs more points than dimensions and neighbours.
        start = "spectral" if len(values) > 50 else "random"
        return UMAP(n_neighbors=neighbours, random_state=seed, init=start).fit_transform(values)


def _page(out, rows, points, columns, title):
    shown = [{"sound": quote(os.path.relpath(row["path"], out).replace(os.sep, "/"))
              + ("#t={:.3f},{:.3f}".format(*row["part"]) if "part" in row else ""),
              "mistake": bool(row["mistake"]), "name": Path(row["path"]).name,
              "values": {column: str(row[column]) for column in columns},
              "at": {method: [round(float(v), 4) for v in xy[i]] for method, xy in points.items()}}
             for i, row in enumerate(rows)]
    data = json.dumps(shown).replace("<", "\\u003c")  # no name may end the script

    def choice(name, values):
        options = "".join(f"<option>{html.escape(value)}</option>" for value in values)
        return f'<label>{name} <select id="{name}">{options}</select></label> '

    body = (f"<p>{html.escape(title)}. A click on a point, or Enter where it has the focus, plays "
            "its recording; mistakes have a ring.</p><p>"
            + choice("view", points) + choice("colour", columns)
            + '</p><audio id="sound" controls></audio><p id="said" aria-live="polite">&nbsp;</p>'
            '<p id="legend"></p><svg id="plane" viewBox="0 0 800 600" role="group" '
            'aria-label="recordings"></svg>'
            f"<script>const rows = {data};\n{_SCRIPT}</script>")
    return page("Projection", body)


_SCRIPT = """
const svg = document.getElementById("plane"), sound = document.getElementById("sound");
const view = document.getElementById("view"), colour = document.getElementById("colour");
const made = (name, about) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in about) node.setAttribute(key, about[key]);
  return node;
};
const circles = rows.map(row => {
  const circle = made("circle", {r: 4, tabindex: 0, role: "button", "fill-opacity": 0.75});
  const words = Object.values(row.values).join(", ") + (row.mistake ? ", mistake" : "");
  circle.setAttribute("aria-label", row.name + ": " + words);
  circle.append(made("title", {}));
  circle.firstChild.textContent = row.name + ": " + words;
  if (row.mistake) circle.setAttribute("stroke", "currentColor");
  const play = () => {
    document.getElementById("said").textContent = row.name + ": " + words;
    sound.src = row.sound;
    sound.play().catch(() => {
      document.getElementById("said").textContent = row.name + ": could not be played here";
    });
  };
  circle.addEventListener("click", play);
  circle.addEventListener("keydown", event => { if (event.key === "Enter") play(); });
  svg.append(circle);
  return circle;
});
const draw = () => {
  const names = [...new Set(rows.map(row => row.values[colour.value]))].sort();
  const hue = name => `hsl(${names.indexOf(name) * 360 / names.length} 70% 50%)`;
  const xs = rows.map(row => row.at[view.value][0]), ys = rows.map(row => row.at[view.value][1]);
  const placed = (v, all, size) => {
    const low = Math.min(...all), high = Math.max(...all);
    return 10 + (size - 20) * (v - low) / (high - low || 1);
  };
  circles.forEach((circle, i) => {
    circle.setAttribute("cx", placed(xs[i], xs, 800));
    circle.setAttribute("cy", 600 - placed(ys[i], ys, 600));
    circle.setAttribute("fill", hue(rows[i].values[colour.value]));
  });
  const legend = document.getElementById("legend");
  legend.replaceChildren(...names.slice(0, 40).map(name => {
    const item = document.createElement("span");
    item.textContent = "\\u25cf " + name + "  ";
    item.style.color = hue(name);
    return item;
  }));
};
view.addEventListener("change", draw);
colour.addEventListener("change", draw);
draw();
"""
