// Groups of an experiment's runs, taken out of their own page and shown in this one.

const form = document.querySelector("[data-groups]");
const shown = document.getElementById("groups");

async function show() {
  shown.setAttribute("aria-busy", "true");
  const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("groups");
    shown.innerHTML = fresh?.innerHTML ?? "";
  } catch {
    shown.textContent = "The server does not answer.";
  }
  shown.removeAttribute("aria-busy");
}

form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
form.addEventListener("change", show);
new IntersectionObserver((entries, observer) => {
  if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); show(); }
}, { rootMargin: "400px" }).observe(form);
