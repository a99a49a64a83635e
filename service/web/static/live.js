// Keeps the parts of a page that are marked data-live as the server has them now: after every event of the experiment,
// or every data-poll milliseconds. What the person is doing (fields, focus, scrolling) stays as it is.

import { localise } from "./page.js";

const MILLISECONDS_BETWEEN = 500;
const SECONDS_BETWEEN_ANNOUNCEMENTS = 15;

const main = document.querySelector("main");
let source = null;
let last = null;
let waiting = null;
let isStale = false;
let refreshedAt = 0;
let announcedAt = 0;

function swap(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || now.innerHTML === old.innerHTML) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const offsets = [...old.querySelectorAll(".scroll")].map((region) => region.scrollLeft);
    const chosen = [...old.querySelectorAll("input:checked")].map((input) => input.id);
    old.innerHTML = now.innerHTML;
    Object.assign(old.dataset, now.dataset);
    old.querySelectorAll(".scroll").forEach((region, index) => { region.scrollLeft = offsets[index] ?? 0; });
    chosen.forEach((id) => { const input = document.getElementById(id); if (input) input.checked = true; });
    if (focused) refocus(old, focused);
  }
}

function refocus(part, before) {
  const same = (element) => element.tagName === before.tagName && element.getAttribute("href") === before.getAttribute("href")
    && element.id === before.id && element.textContent === before.textContent;
  [...part.querySelectorAll(before.tagName)].find(same)?.focus({ preventScroll: true });
}

async function refresh() {
  refreshedAt = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.status === 429 || answer.status >= 500) throw new Error(`${answer.status}`);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    localise(fresh);
    swap(fresh);
    announce();
    document.dispatchEvent(new CustomEvent("rankward:refreshed"));
    const wanted = fresh.querySelector("main");
    if (main.dataset.poll && !wanted?.dataset.poll) delete main.dataset.poll;
  } catch {
    // The server is away or busy for a moment; the next event or poll tries again, or this page where no event follows.
    if (!main.dataset.events) isStale = true;
  }
}

// What happens while an answer is under way may not be in it, and after the last event no other comes to tell.
function refreshSoon() {
  isStale = true;
  if (waiting !== null) return;
  waiting = setTimeout(async () => {
    isStale = false;
    await refresh();
    waiting = null;
    if (isStale) refreshSoon();
  }, Math.max(0, refreshedAt + MILLISECONDS_BETWEEN - Date.now()));
}

function announce(text) {
  const standing = document.getElementById("standing");
  const said = text ?? (standing?.dataset.total && `${standing.dataset.over} of ${standing.dataset.total} runs are over.`);
  const isDue = text || Date.now() - announcedAt > SECONDS_BETWEEN_ANNOUNCEMENTS * 1000;
  if (!said || !isDue) return;
  announcedAt = Date.now();
  document.getElementById("announcement").textContent = said;
}

function follow() {
  if (source || !main.dataset.events) return;
  const address = new URL(main.dataset.events, location.href);
  if (last !== null) address.searchParams.set("after", last);
  source = new EventSource(address);
  const note = (event) => { last = event.lastEventId; document.getElementById("connection").hidden = true; };
  source.onopen = () => { document.getElementById("connection").hidden = true; };
  source.onerror = () => { document.getElementById("connection").hidden = false; };
  source.addEventListener("run", note);
  source.addEventListener("progress", (event) => { note(event); refreshSoon(); });
  source.addEventListener("done", (event) => {
    note(event);
    unfollow();
    delete main.dataset.events;
    refreshSoon();
    announce("All runs are over.");
  });
}

function unfollow() {
  source?.close();
  source = null;
}

// A page in the background lets go of its connection: browsers keep few to one server.
document.addEventListener("visibilitychange", () => (document.hidden ? unfollow() : follow()));
addEventListener("pagehide", unfollow);
if (!document.hidden) follow();

if (main.dataset.poll) {
  const timer = setInterval(() => {
    if (!main.dataset.poll) clearInterval(timer);
    else if (!document.hidden) refresh();
  }, Number(main.dataset.poll));
}
