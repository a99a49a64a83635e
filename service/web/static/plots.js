// Plotly, loaded when the first figure is there to be drawn, and how figures look on these pages.

const dark = matchMedia("(prefers-color-scheme: dark)");
const PLOTLY = document.querySelector('meta[name="plotly"]').content;
let loading = null;

export function theme() {
  return dark.matches ? "dark" : "light";
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = PLOTLY;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("The drawing program could not be loaded."));
    document.head.append(script);
  });
  return loading;
}

// Adds the element of a plot to a card, with a line that says what is going on while nothing is drawn.
export function addPlot(card, label) {
  const plot = document.createElement("div");
  plot.className = "plot";
  plot.setAttribute("role", "figure");
  plot.setAttribute("aria-label", label);
  const note = document.createElement("p");
  note.className = "plot-note";
  note.textContent = "Drawing…";
  card.append(plot, note);
  return { plot, note };
}

export async function draw({ plot, note }, figure) {
  const Plotly = await loadPlotly();
  const layout = {
    ...figure.layout,
    autosize: true,
    font: { ...figure.layout.font, family: getComputedStyle(document.body).fontFamily },
    uirevision: figure.layout.meta?.title ?? "same",
  };
  delete layout.width;
  const buttons = ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"];
  const config = { displaylogo: false, responsive: true, typesetMath: false, modeBarButtonsToRemove: buttons };
  await Plotly.react(plot, figure.data, layout, config);
  note.textContent = "";
}

// Draws by `act`, again when the theme changes or the page is refreshed; what goes wrong is said beside the plot.
export function drawnBy(act, { plot, note }) {
  const show = oneAtATime(async () => {
    plot.setAttribute("aria-busy", "true");
    try { await act(); } catch (error) { note.textContent = error.message; }
    plot.setAttribute("aria-busy", "false");
  });
  dark.addEventListener("change", show);
  document.addEventListener("rankward:refreshed", show);
  return show;
}

// The JSON at an address; raises an Error with the sentence that the server gave.
export async function fetchJson(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  const content = await answer.json().catch(() => null);
  if (answer.ok && content) return content;
  throw new Error(content?.detail ?? "The server does not answer.");
}

// Calls `act` at most once at a time and, if it was asked for meanwhile, once more.
function oneAtATime(act) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    try { await act(); } finally { running = false; }
    if (again) { again = false; run(); }
  };
}
