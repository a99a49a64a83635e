// One run's trajectory: a metric against steps, time or loss, with theory's bound; and its singular values.

import { addPlot, colour, draw, drawnBy, fetchJson } from "./plots.js";

const MOST_POINTS = 2000;
const CATEGORICAL = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9"],
  dark: ["#56b4e9", "#ff9d4d", "#2fc79a", "#e79ac6", "#f0e442", "#7f9cff"],
};

const number = (value) => (typeof value === "number" ? value : null);
const words = (name) => name.replaceAll("_", " ");
const palette = () => CATEGORICAL[matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"];

// One label for each decade, or every few of them; Plotly's own choice where there is less than two.
function decades(values) {
  const positive = values.filter((value) => value > 0);
  const span = Math.log10(Math.max(...positive) / Math.min(...positive));
  return span >= 2 ? Math.ceil(span / 8) : undefined;
}

function axis(name, isLog, values, more = {}) {
  return {
    type: isLog ? "log" : "linear",
    title: { text: words(name), standoff: 8 },
    gridcolor: colour("rule"),
    linecolor: colour("rule-strong"),
    zeroline: false,
    showline: true,
    ticks: "outside",
    tickcolor: colour("rule-strong"),
    exponentformat: "power",
    dtick: isLog ? decades(values) : undefined,
    automargin: true,
    ...more,
  };
}

function layout(x, y, title) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), size: 12 },
    margin: { l: 64, r: 16, t: 12, b: 48 },
    height: 400,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    hovermode: "closest",
    xaxis: x,
    yaxis: y,
    meta: { title },
  };
}

// A line; a point alone is marked, for a line of it would not be seen.
function line(x, y, name, color, more = {}) {
  const isPoint = y.filter((value) => value !== null).length === 1;
  return { type: "scatter", mode: isPoint ? "markers" : "lines", x, y, name, marker: { color }, line: { color, width: 1.8 }, ...more };
}

async function metricFigure(card, option, x) {
  const y = option.value;
  const names = [...new Set([y, x].filter((name) => name !== "step" && name !== "time"))];
  const { columns } = await fetchJson(`${card.dataset.trajectory}?max_points=${MOST_POINTS}&metrics=${names}`);
  const isSize = "magnitude" in option.dataset;
  const values = columns[y].map(number);
  const isLog = option.dataset.scale === "log" && values.some((value) => value > 0 || (isSize && value));
  const across = columns[x].map(number);
  const magnitude = isSize ? values.map((value) => (value === null ? null : Math.abs(value))) : values;
  const label = isSize ? `|${words(y)}|` : words(y);
  const data = [line(across, magnitude, label, palette()[0])];
  if (y === "unobserved_entry" && card.dataset.theory) {
    const theory = (await fetchJson(card.dataset.theory)).columns;
    const bound = theory.bound?.map(number).map((value) => (value > 0 ? value : null));
    if (bound) data.push(line(theory[x].map(number), bound, "least size that theory allows", colour("ink"), { line: { color: colour("ink"), width: 1.2, dash: "dash" } }));
  }
  const xAxis = axis(x, across.some((value) => value > 0), across, x === "loss" ? { autorange: "reversed" } : {});
  return { data: data.map((trace) => ({ ...trace, showlegend: data.length > 1 })), layout: layout(xAxis, axis(label, isLog, magnitude), `${y} ${x}`) };
}

async function spectrumFigure(card) {
  const { columns } = await fetchJson(`${card.dataset.trajectory}?max_points=${MOST_POINTS}&metrics=singular_values`);
  const width = Math.min(10, Math.max(0, ...columns.singular_values.map((row) => row?.length ?? 0)));
  const data = Array.from({ length: width }, (_, k) =>
    line(columns.step, columns.singular_values.map((row) => number(row?.[k])), `σ${k + 1}`, palette()[k % 6],
      { line: { color: palette()[k % 6], width: 1.8, dash: ["solid", "dash", "dot", "dashdot"][k % 4] } }));
  const all = data.flatMap((trace) => trace.y);
  return { data, layout: { ...layout(axis("step", columns.step.some((step) => step > 0), columns.step), axis("singular values", all.some((value) => value > 0), all), "spectrum"), height: 340, showlegend: true } };
}

function keep(card, label, figure) {
  const where = addPlot(card, label);
  const show = drawnBy(async () => {
    const drawn = await figure();
    await draw(where, drawn);
    if (!drawn.data[0]?.x?.length) where.note.textContent = "No points recorded yet.";
    else if (!drawn.data.some((trace) => trace.y.some((value) => value !== null))) where.note.textContent = "No number recorded here is finite.";
  }, where);
  show();
  return show;
}

const card = document.getElementById("trajectory");
const [y, x] = [document.getElementById("y"), document.getElementById("x")];
const show = keep(card, "Trajectory of the run", () => metricFigure(card, y.selectedOptions[0], x.value === y.value ? "step" : x.value));
y.addEventListener("change", show);
x.addEventListener("change", show);
const spectrum = document.getElementById("spectrum");
if (spectrum) keep(spectrum, "Singular values against steps", () => spectrumFigure(spectrum));
