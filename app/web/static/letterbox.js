// What pages do beyond their forms and links; each works without it, too.

import { attend } from "./attention.js";
import { offerKeys } from "./keys.js";
import { goLive, pollSoon } from "./live.js";
import { END_PIXELS, prepare, showTimes } from "./parts.js";
import { countWhileTyping, keepDraft, offerReplies, searchInstantly, showChosen, tryWhileTyping, writePlainly } from "./writing.js";

const SLOW_MILLISECONDS = 1500;

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(field.value ?? field.textContent);
  } catch {
    field.select?.(); // without a secure address there is no clipboard: the person presses Ctrl+C
    return;
  }
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
}

// A page that takes long, for the provider or the database is slow: say that something goes on.
const showWaiting = (isShown) => document.getElementById("slow-state")?.toggleAttribute("hidden", !isShown);
const tellOfWaiting = () => setTimeout(showWaiting, SLOW_MILLISECONDS, true);

function isToOurPage(link) {
  return link?.origin === location.origin && !link.target && !link.hash && !link.pathname.endsWith("/csv");
}

// A conversation begins at its first new text, or at its end; a reload stays where it was. Where
// the end is in sight, the reply form does not grow over it.
function goToNewTexts() {
  const [{ type }] = performance.getEntriesByType("navigation");
  const form = document.querySelector("form.composer");
  const isOpened = ["", "#new", "#latest", "#body"].includes(location.hash) && type === "navigate";
  let top = 0;
  const follow = () => {
    const now = form.getBoundingClientRect().top;
    const end = document.getElementById("latest").getBoundingClientRect().top;
    if (end > now && end - top < END_PIXELS) scrollBy({ top: end - now, behavior: "instant" });
    top = now;
  };
  const go = () => {
    if (isOpened) document.getElementById("new")?.scrollIntoView({ behavior: "instant" });
    top = isOpened && !document.querySelector(".divider") ? Infinity : form?.getBoundingClientRect().top;
  };
  go();
  if (location.hash === "#body") document.getElementById("body")?.focus({ preventScroll: true });
  if (!form) return;
  new ResizeObserver(follow).observe(form);
  // Until a page is loaded, the browser itself goes to what the address names.
  if (isOpened && document.readyState !== "complete") addEventListener("load", () => setTimeout(() => { go(); follow(); }), { once: true });
}

document.addEventListener("animationend", (event) => event.target.classList.remove("fresh"));
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy], [data-opens], [data-text]");
  if (!button) return;
  if (button.dataset.text) event.preventDefault();
  if (button.dataset.copy) copy(button);
  else if (button.dataset.opens) document.getElementById(button.dataset.opens)?.showModal();
  else writePlainly(button);
});
prepare();
offerKeys();
setInterval(showTimes, 30_000);
addEventListener("beforeprint", () => showTimes(document, true));
addEventListener("afterprint", () => showTimes());
document.querySelectorAll("form[data-instant]").forEach(searchInstantly);
document.querySelectorAll("form[data-tried]").forEach(tryWhileTyping);
document.querySelectorAll("form[data-draft]").forEach(keepDraft);
document.querySelectorAll("[data-saved-replies]").forEach(offerReplies);
document.querySelectorAll("[data-measured]").forEach(countWhileTyping);
for (const form of document.querySelectorAll("form:has([data-for-kind], [data-for-source])")) {
  showChosen(form);
  form.addEventListener("change", () => showChosen(form));
}
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented && event.target.method !== "dialog") tellOfWaiting();
});
document.addEventListener("click", (event) => {
  const isPlain = !event.defaultPrevented && event.button === 0 && !event.ctrlKey && !event.metaKey;
  if (isPlain && isToOurPage(event.target.closest?.("a[href]"))) tellOfWaiting();
});
addEventListener("pageshow", () => showWaiting(false));
if ("signedIn" in document.documentElement.dataset) {
  goLive();
  attend();
}
pollSoon();
goToNewTexts();
