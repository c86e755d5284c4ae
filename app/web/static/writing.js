// Writing: what is typed is counted, tried and kept, all of it by the server.

import { ROOT, fetchPage, prepare, replaceParts } from "./parts.js";

const INSTANT_MILLISECONDS = 250;
const COUNT_MILLISECONDS = 120;
const TRY_MILLISECONDS = 400;
const DRAFT_MILLISECONDS = 1500;
const SAVE_MILLISECONDS = 3000;

// Asks a moment after the last change; the newest answer alone is shown.
function askLater(milliseconds, ask, show) {
  let delay = 0;
  let count = 0;
  const now = async () => {
    clearTimeout(delay);
    const mine = ++count;
    try {
      const answer = await ask();
      if (mine === count) show(answer);
    } catch (error) {
      console.info(`not asked: ${error.message}`);
    }
  };
  return { now, soon: () => { clearTimeout(delay); delay = setTimeout(now, milliseconds); } };
}

async function postForm(path, body) {
  const answer = await fetch(`${ROOT}${path}`, { method: "POST", body });
  if (!answer.ok || answer.redirected) throw new Error(`the page answers ${answer.status}`);
  return answer.text();
}

// Filters that answer while somebody types: a form with `data-instant="results another"`.
export function searchInstantly(form) {
  const ids = form.dataset.instant.split(" ");
  const setBusy = (isBusy) => {
    for (const id of ids) document.getElementById(id)?.setAttribute("aria-busy", String(isBusy));
  };
  const ask = async () => {
    const address = new URL(form.action);
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    address.search = new URLSearchParams(filled).toString();
    setBusy(true);
    const page = await fetchPage(address).finally(() => setBusy(false));
    return { address, page };
  };
  const { now, soon } = askLater(INSTANT_MILLISECONDS, ask, ({ address, page }) => {
    history.replaceState(null, "", address);
    replaceParts(page, ids);
  });
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => { event.preventDefault(); now(); });
}

// The server counts: it knows the alphabets.
export function countWhileTyping(field) {
  const place = document.getElementById(field.dataset.measured);
  const ask = () => {
    const body = new URLSearchParams({ body: field.value, to: field.form.elements.to?.value ?? "" });
    if ("plain" in field.dataset) body.set("offer", "1");
    if ("template" in field.dataset) body.set("template", "1");
    return postForm("/measure", body);
  };
  const { now, soon } = askLater(COUNT_MILLISECONDS, ask, (text) => { place.innerHTML = text; });
  field.form.addEventListener("input", ({ target }) => { if (target === field || target.name === "to") soon(); });
  if (field.value && !place.textContent.trim()) now();
}

function putIn(field, text, from, to) {
  field.setRangeText(text, from, to, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

// The button that writes the text in plain characters holds the changed text.
export const writePlainly = ({ form, dataset }) => putIn(form.elements.body, dataset.text, 0, form.elements.body.value.length);

// Saved replies: `/` in an empty text opens their menu; the server fills in what is chosen.
export function offerReplies(place) {
  const { body, saved_reply: menu, insert } = place.closest("form").elements;
  insert.addEventListener("click", async (event) => {
    event.preventDefault();
    const text = menu.value && await postForm("/saved-replies/fill", new URLSearchParams(new FormData(body.form)));
    putIn(body, text, body.selectionStart, body.selectionEnd);
  });
  body.addEventListener("keydown", (event) => {
    if (event.key !== "/" || body.value || !menu.showPicker) return;
    event.preventDefault();
    Object.assign(menu, { value: "", onchange: () => insert.click(), onblur: () => { menu.onchange = null; } });
    menu.focus();
    menu.showPicker();
  });
}

// A rule's draft is tried over real texts while somebody writes it.
export function tryWhileTyping(form) {
  const place = document.getElementById(form.dataset.tried);
  const ask = () => postForm("/rules/try", new URLSearchParams(new FormData(form)));
  const { now, soon } = askLater(TRY_MILLISECONDS, ask, (text) => {
    const part = new DOMParser().parseFromString(text, "text/html").body;
    prepare(part);
    place.replaceChildren(...part.childNodes);
  });
  form.addEventListener("input", soon);
  if (form.elements.reply.value && !place.querySelector("strong")) now();
}

// A form with `data-draft` is saved there while somebody writes, so that leaving loses nothing.
export function keepDraft(form) {
  let delay = 0;
  let saving = null;
  const save = () => {
    clearTimeout(delay);
    delay = 0;
    const body = new URLSearchParams(new FormData(form));
    const signal = AbortSignal.timeout(SAVE_MILLISECONDS);
    saving = fetch(form.dataset.draft, { method: "POST", body, keepalive: true, signal }).catch((error) => console.info(`draft not saved: ${error.message}`)).finally(() => { saving = null; });
  };
  form.addEventListener("input", () => { delay ||= setTimeout(save, DRAFT_MILLISECONDS); });
  addEventListener("pagehide", () => { if (delay) save(); });
  form.addEventListener("submit", (event) => {
    clearTimeout(delay);
    delay = 0;
    if (!saving) return;
    // A draft that is saved after its text was sent would come back.
    event.preventDefault();
    const { submitter } = event;
    saving.then(() => form.requestSubmit(submitter));
  });
}

// Fields that only one choice needs: `data-for-kind="list"` belongs to the field `kind`.
export function showChosen(form) {
  for (const part of form.querySelectorAll("[data-for-kind], [data-for-source]")) {
    const [name, value] = part.dataset.forKind ? ["kind", part.dataset.forKind] : ["source", part.dataset.forSource];
    part.hidden = form.elements[name].value !== value;
  }
}
