// The dry run, repeated a moment after the spec was changed.

const MILLISECONDS_OF_QUIET = 600;

const form = document.querySelector(".submission");
const text = document.getElementById("spec");
const check = document.getElementById("check");
let timer = null;
let checks = 0;

async function dryRun() {
  const checkNumber = ++checks;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("act", "check");
  check.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("check");
    if (checkNumber === checks && fresh) check.innerHTML = fresh.innerHTML;
  } finally {
    if (checkNumber === checks) check.removeAttribute("aria-busy");
  }
}

// On a narrow page the presets scroll in a box of their own: show the chosen one.
const chosen = document.querySelector(".presets [aria-current]");
if (chosen) chosen.closest("ul").scrollTop = chosen.offsetTop - chosen.closest("ul").offsetTop;

text.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(dryRun, MILLISECONDS_OF_QUIET);
});
form.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "check") return;
  event.preventDefault();
  dryRun();
});
