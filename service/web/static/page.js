// What every page has: times in the reader's own zone, and buttons that copy.

const MILLISECONDS_SAID = 1600;
const local = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
});

// Times as the server writes them say that they are in UTC; the tooltip, in UTC to the second, stays.
export function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) time.textContent = local.format(new Date(time.dateTime));
}

// The clipboard takes texts from pages over TLS or of this machine only; elsewhere what is selected can be copied.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("The browser copies nothing here.");
}

async function copyFrom(button) {
  const text = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom).textContent;
  let said = "Copied";
  try {
    await copy(text);
    button.dataset.done = "";
    setTimeout(() => delete button.dataset.done, MILLISECONDS_SAID);
  } catch (error) {
    said = error.message;
  }
  button.focus({ preventScroll: true });
  document.getElementById("announcement").textContent = said;
}

document.documentElement.classList.add("scripted");
localise(document);
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  event.preventDefault();
  copyFrom(button);
});
