// What pages do beyond their forms and links; each works without it, too.

const LIVE = "/live";
const RELATIVE_SECONDS = 7 * 24 * 3600;
const INSTANT_MILLISECONDS = 250;
const REFRESH_MILLISECONDS = 700;

const within = (root, selector) => [
  ...(root.matches?.(selector) ? [root] : []),
  ...root.querySelectorAll(selector),
];

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

function showTimes(root = document) {
  for (const element of within(root, "time[datetime]")) {
    const date = new Date(element.dateTime);
    const text = "exact" in element.dataset ? exact.format(date) : describeAge(date);
    if (element.textContent !== text) element.textContent = text;
    element.title = full.format(date);
  }
}

// Copying, and whatever else makes sense only here.

function prepare(root = document) {
  for (const button of within(root, "[data-copy]")) button.hidden = false;
  for (const element of within(root, "[data-with-script]")) element.hidden = false;
  for (const element of within(root, "[data-without-script]")) element.hidden = true;
  showTimes(root);
}

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

// Parts of the page that are asked for again and put in the place of the old ones.
// An element with an id and `data-live="message alert"` is renewed by these events.
// Children of a `[data-keyed]` list stay where they are known by their `data-key`.

async function fetchPage(address) {
  const answer = await fetch(address, { headers: { "X-Letterbox-Part": "1" } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.assign(answer.url);
    throw new Error("signed out");
  }
  if (!answer.ok && answer.status !== 422) throw new Error(`the page answers ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function replaceParts(page, selector) {
  for (const old of document.querySelectorAll(selector)) {
    const fresh = page.getElementById(old.id);
    if (fresh && !old.contains(busyField())) renew(old, fresh);
  }
}

// Somebody who types must not lose the field.
function busyField() {
  const element = document.activeElement;
  return element?.matches("input, textarea, select") ? element : null;
}

function renew(old, fresh) {
  const lists = [...old.querySelectorAll("[data-keyed]")];
  const freshLists = [...fresh.querySelectorAll("[data-keyed]")];
  const isAlike = lists.length === 1 && freshLists.length === 1;
  prepare(fresh);
  if (!isAlike) {
    if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
    return;
  }
  mergeList(lists[0], freshLists[0]);
  replaceAround(old, fresh, lists[0], freshLists[0]);
}

// All but the list itself, as far as both have the same shape around it.
function replaceAround(old, fresh, list, freshList) {
  freshList.replaceWith(list.cloneNode(false));
  const marker = fresh.querySelector("[data-keyed]");
  for (const node of [...old.childNodes]) if (node !== list && !node.contains(list)) node.remove();
  if (list.parentNode !== old) return;
  let isAfter = false;
  for (const node of [...fresh.childNodes]) {
    if (node === marker) isAfter = true;
    else if (isAfter) old.append(node);
    else old.insertBefore(node, list);
  }
}

// The person's place stays: what comes above pushes nothing that is in sight.
function mergeList(list, freshList) {
  const anchor = findAnchor(list);
  const before = anchor?.getBoundingClientRect().top;
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const child of [...freshList.children]) {
    const old = known.get(child.dataset.key);
    known.delete(child.dataset.key);
    if (!old) child.classList.add("fresh");
    else if (old.innerHTML !== child.innerHTML || old.className !== child.className) {
      old.className = child.className;
      if (!old.contains(busyField())) refill(old, child);
    }
    const wanted = old ?? child;
    if (wanted === place) place = place.nextElementSibling;
    else list.insertBefore(wanted, place);
  }
  for (const gone of known.values()) gone.remove();
  if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - before);
}

function refill(old, child) {
  const hasFocus = old.contains(document.activeElement);
  old.replaceChildren(...child.childNodes);
  if (hasFocus) old.querySelector("a, button")?.focus({ preventScroll: true });
}

function findAnchor(list) {
  if (scrollY === 0) return null;
  return [...list.children].find((child) => child.getBoundingClientRect().bottom > 0);
}

// Live arrival. One tab alone listens and tells the others: browsers allow few connections.

const channel = new BroadcastChannel("letterbox");
const waiting = new Set();
let timer = 0;

function hear({ kind, numbers }) {
  if (kind === "state") {
    document.getElementById("live-state")?.toggleAttribute("hidden", numbers);
    return;
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    const { live, liveNumbers } = part.dataset;
    const isMeant = kind === "ready" || kind === "reset" || live.split(" ").includes(kind);
    const about = liveNumbers?.split(" ") ?? [];
    if (isMeant && (!numbers.length || about.every((each) => numbers.includes(each)))) {
      waiting.add(part.id);
    }
  }
  if (waiting.size) timer ||= setTimeout(refresh, REFRESH_MILLISECONDS);
}

// A page that a form answered may stand at an address of the form's own.
function findAddress() {
  return document.querySelector("[data-address]")?.dataset.address ?? location.href;
}

async function refresh() {
  const selector = [...waiting].map((id) => `#${CSS.escape(id)}`).join();
  waiting.clear();
  try {
    replaceParts(await fetchPage(findAddress()), selector);
    document.dispatchEvent(new CustomEvent("letterbox:renewed"));
  } catch (error) {
    console.info(`not renewed: ${error.message}`);
  }
  timer = 0;
  if (waiting.size) timer = setTimeout(refresh, REFRESH_MILLISECONDS);
}

function listen() {
  const tell = (message) => { channel.postMessage(message); hear(message); };
  const source = new EventSource(LIVE);
  for (const kind of ["ready", "message", "outbound", "status", "alert", "reset"]) {
    source.addEventListener(kind, (event) => {
      const numbers = JSON.parse(event.data || "[]");
      tell({ kind, numbers: Array.isArray(numbers) ? numbers : [] });
    });
  }
  source.onopen = () => tell({ kind: "state", numbers: true });
  source.onerror = () => {
    tell({ kind: "state", numbers: false });
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { source.close(); listen(); }, 5000);
  };
}

function goLive() {
  channel.onmessage = (event) => hear(event.data);
  if (navigator.locks) navigator.locks.request("letterbox-live", () => { listen(); return new Promise(() => {}); });
  else listen();
}

// Parts that are asked for again every so many milliseconds, for as long as `data-poll` is in them.

function poll() {
  const marks = [...document.querySelectorAll("[data-poll]")];
  if (!marks.length) return;
  setTimeout(() => {
    for (const mark of marks) waiting.add(mark.closest("[id]").id);
    refresh().finally(poll);
  }, Math.min(...marks.map((mark) => Number(mark.dataset.poll))));
}

// Filters that answer while somebody types: a form with `data-instant="results another"`.

function searchInstantly(form) {
  let delay = 0;
  let count = 0;
  const search = async () => {
    const address = new URL(form.action);
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    address.search = new URLSearchParams(filled).toString();
    const mine = ++count;
    try {
      const page = await fetchPage(address);
      if (mine !== count) return;
      history.replaceState(null, "", address);
      const ids = form.dataset.instant.split(" ").map((id) => `#${CSS.escape(id)}`);
      replaceParts(page, ids.join());
    } catch (error) {
      console.info(`not searched: ${error.message}`);
    }
  };
  const soon = () => { clearTimeout(delay); delay = setTimeout(search, INSTANT_MILLISECONDS); };
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(delay); search(); });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
prepare();
setInterval(showTimes, 30_000);
document.querySelectorAll("form[data-instant]").forEach(searchInstantly);
if (document.querySelector("[data-live]")) goLive();
poll();
