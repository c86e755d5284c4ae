// Parts of a page that are asked for again and put in the place of the old ones.
// An element with an id and `data-live="message alert"` is renewed by these events.
// Children of a `[data-keyed]` list stay where they are known by their `data-key`.

// The path of PUBLIC_URL, which every address of ours begins with.
export const ROOT = document.documentElement.dataset.root;
const SIGN_IN = `${ROOT}/sign-in`;
const RELATIVE_SECONDS = 7 * 24 * 3600;
export const END_PIXELS = 60;

// Parts to update once nobody is typing in them.
export const held = new Set();

const within = (root, selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];

// Times: how long ago, the exact one in the browser's own zone when pointed at.

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function describeAge(date) {
  const seconds = (date - Date.now()) / 1000;
  const age = Math.abs(seconds);
  if (age < 45) return "now";
  if (age > RELATIVE_SECONDS) return exact.format(date);
  const [unit, size] = STEPS.find(([, size]) => age >= size) ?? ["minute", 60];
  return relative.format(Math.round(seconds / size), unit);
}

export function showTimes(root = document, isExact = false) {
  for (const element of within(root, "time[datetime]")) {
    const date = new Date(element.dateTime);
    const text = isExact || "exact" in element.dataset ? exact.format(date) : describeAge(date);
    if (element.textContent !== text) element.textContent = text;
    element.title = full.format(date);
  }
}

// Copying, and whatever else makes sense only here.
export function prepare(root = document) {
  for (const element of within(root, "[data-copy], [data-with-script]")) element.hidden = false;
  for (const element of within(root, "[data-without-script]")) element.hidden = true;
  showTimes(root);
}

// The newest text of a thread is in sight: not below the window, nor behind the reply form.
function isAtEnd() {
  const form = document.getElementById("reply");
  const bottom = form ? form.getBoundingClientRect().top : innerHeight;
  return document.getElementById("latest").getBoundingClientRect().top <= bottom + END_PIXELS;
}

// Whether somebody sees what arrives: the tab is in sight, and so is the end of a thread.
export function describeSight() {
  if (document.hidden) return "hidden";
  return !document.querySelector("[data-to-end]") || isAtEnd() ? "seen" : "unseen";
}

export async function fetchPage(address) {
  const answer = await fetch(address, { headers: { "X-Letterbox-Part": describeSight() } });
  if (answer.redirected && new URL(answer.url).pathname === SIGN_IN) {
    location.assign(answer.url);
    throw Object.assign(new Error("signed out"), { isFinal: true });
  }
  if (!answer.ok && answer.status !== 422) {
    const isFinal = answer.status < 500 && answer.status !== 429;
    throw Object.assign(new Error(`the page answers ${answer.status}`), { isFinal });
  }
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

export function replaceParts(page, ids) {
  for (const id of ids) {
    const old = document.getElementById(id);
    const fresh = page.getElementById(id);
    if (!old || !fresh) continue;
    if (old.contains(busyField())) held.add(id);
    else renew(old, fresh);
  }
}

// Somebody who types must not lose the field.
function busyField() {
  const element = document.activeElement;
  return element?.matches("input, textarea, select") ? element : null;
}

// The person's place stays: what comes above pushes nothing that is in sight, whoever is at the end
// of a thread stays there, and focus is kept.
function renew(old, fresh) {
  prepare(fresh);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const isToEnd = "toEnd" in old.dataset && isAtEnd();
  const anchor = isToEnd ? null : findAnchor(old);
  const find = () => (isToEnd ? document.getElementById("latest") : anchor);
  const top = find()?.getBoundingClientRect().top;
  for (const list of old.querySelectorAll("[data-keyed][id]")) {
    const freshList = fresh.querySelector(`#${CSS.escape(list.id)}`);
    if (!freshList) continue;
    mergeList(list, freshList);
    freshList.replaceWith(list);
  }
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  old.replaceChildren(...fresh.childNodes);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  if (find()?.isConnected) scrollBy({ top: find().getBoundingClientRect().top - top, behavior: "instant" });
}

function mergeList(list, freshList) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const child of [...freshList.children]) {
    const old = known.get(child.dataset.key);
    known.delete(child.dataset.key);
    if (!old) child.classList.add("fresh");
    else {
      old.classList.toggle("unread", child.classList.contains("unread"));
      if (old.innerHTML !== child.innerHTML && !old.contains(busyField())) refill(old, child);
    }
    if (old && old === place) place = place.nextElementSibling;
    else list.insertBefore(old ?? child, place);
  }
  for (const gone of known.values()) gone.remove();
}

function refill(old, child) {
  const hasFocus = old.contains(document.activeElement);
  old.replaceChildren(...child.childNodes);
  if (hasFocus) old.querySelector("a, button")?.focus({ preventScroll: true });
}

function findAnchor(part) {
  const rows = scrollY === 0 ? [] : [...part.querySelectorAll("[data-keyed] > *")];
  return rows.find((row) => row.getBoundingClientRect().bottom > 0);
}
