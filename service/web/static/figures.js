// Figures of an experiment: a choice of those there are, drawn as the server describes them, again when it knows more.

import { addPlot, draw, drawnBy, fetchJson, theme } from "./plots.js";

function addressOf(file, plot) {
  const address = new URL(file, location.href);
  address.searchParams.set("theme", theme());
  address.searchParams.set("width", Math.max(280, Math.min(1400, Math.round(plot.clientWidth))));
  return address;
}

function drawing(card, label, currentFile) {
  const where = addPlot(card, label);
  const show = drawnBy(async () => {
    try {
      await draw(where, await fetchJson(addressOf(currentFile(), where.plot)));
    } catch (error) {
      window.Plotly?.purge(where.plot); // another figure than the chosen one would be a lie
      throw error;
    }
  }, where);
  return { show, where };
}

function choice(list) {
  const controls = document.createElement("div");
  controls.className = "plot-controls";
  controls.innerHTML = '<div><label for="figure">Show</label><select id="figure"></select></div><p class="downloads"></p>';
  const select = controls.querySelector("select");
  for (const { title, name } of list.items) select.append(new Option(title, name, false, name === list.default));
  return { controls, select };
}

function offer(downloads, figure) {
  const links = ["png", "svg"].map((format) => {
    const link = document.createElement("a");
    link.href = figure.files[format];
    link.download = `${figure.name}.${format}`;
    link.textContent = format;
    return link;
  });
  downloads.replaceChildren("Save as ", links[0], ", ", links[1]);
}

async function showChosen(card) {
  const list = await fetchJson(card.dataset.figures);
  card.querySelector(".plot-note").remove();
  const { controls, select } = choice(list);
  const figure = () => list.items.find(({ name }) => name === select.value);
  const about = document.createElement("p");
  about.className = "plot-about";
  card.append(controls);
  const { show, where } = drawing(card, figure().title, () => figure().files.json);
  card.append(about);
  const choose = () => {
    offer(controls.querySelector(".downloads"), figure());
    about.textContent = figure().about;
    where.plot.setAttribute("aria-label", figure().title);
    show();
  };
  select.addEventListener("change", choose);
  choose();
}

for (const card of document.querySelectorAll("[data-figures]")) {
  const note = document.createElement("p");
  note.className = "plot-note";
  note.textContent = "Drawing…";
  card.append(note);
  showChosen(card).catch((error) => { note.textContent = error.message; });
}
for (const card of document.querySelectorAll("[data-figure]")) {
  drawing(card, "The experiments compared", () => card.dataset.figure).show();
}
