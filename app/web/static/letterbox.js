// What pages do beyond their forms and links; each works without it, too.

// The path of PUBLIC_URL, which every address of ours begins with.
const ROOT = document.documentElement.dataset.root;
const SIGN_IN = `${ROOT}/sign-in`;
const LIVE = `${ROOT}/live`;
const RELATIVE_SECONDS = 7 * 24 * 3600;
const INSTANT_MILLISECONDS = 250;
const REFRESH_MILLISECONDS = 700;
const RETRY_MILLISECONDS = [2000, 4000, 8000, 16000, 30000];
const READY_MILLISECONDS = 6000;
const SILENCE_MILLISECONDS = 45000; // the stream sends something every 15 seconds
const POLL_MILLISECONDS = 10000;
const COUNT_MILLISECONDS = 120;
const SLOW_MILLISECONDS = 1500;
const TRY_MILLISECONDS = 400;

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
  const seen = document.hidden ? "unseen" : "seen";
  const answer = await fetch(address, { headers: { "X-Letterbox-Part": seen } });
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

function replaceParts(page, selector) {
  for (const old of document.querySelectorAll(selector)) {
    const fresh = page.getElementById(old.id);
    if (fresh && old.contains(busyField())) held.add(old.id);
    else if (fresh) renew(old, fresh);
  }
}

// Somebody who types must not lose the field.
function busyField() {
  const element = document.activeElement;
  return element?.matches("input, textarea, select") ? element : null;
}

// The person's place stays: what comes above pushes nothing that is in sight, and focus is kept.
function renew(old, fresh) {
  prepare(fresh);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const isAtEnd = "toEnd" in old.dataset && isNearEnd(old);
  const anchor = isAtEnd ? null : findAnchor(old);
  const top = anchor?.getBoundingClientRect().top;
  for (const list of old.querySelectorAll("[data-keyed][id]")) {
    const freshList = fresh.querySelector(`#${CSS.escape(list.id)}`);
    if (!freshList) continue;
    mergeList(list, freshList);
    freshList.replaceWith(list);
  }
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  old.replaceChildren(...fresh.childNodes);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  if (isAtEnd) old.lastElementChild?.scrollIntoView({ block: "nearest", behavior: "instant" });
  if (anchor?.isConnected) scrollBy({ top: anchor.getBoundingClientRect().top - top, behavior: "instant" });
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

// Whether somebody reads the newest of a part that grows at its end.
function isNearEnd(part) {
  const { bottom } = part.getBoundingClientRect();
  return bottom > 0 && bottom < innerHeight + 40;
}

function findAnchor(part) {
  if (scrollY === 0) return null;
  const rows = [...part.querySelectorAll("[data-keyed] > *")];
  return rows.find((row) => row.getBoundingClientRect().bottom > 0);
}

// Live arrival. One tab alone listens and tells the others: browsers allow few connections.

const channel = new BroadcastChannel(`letterbox${ROOT}`);
const waiting = new Set();
const held = new Set(); // parts to update once nobody is typing in them
let timer = 0;
let failures = 0;
let stream = "live"; // or "cut", or "silent" if a proxy buffers it

function hear({ kind, numbers }) {
  if (kind === "state") {
    stream = numbers;
    showState();
    return;
  }
  if (kind === "poll" && document.hidden) return; // it checks once it is visible again
  const isForAll = ["ready", "reset", "poll"].includes(kind);
  for (const part of document.querySelectorAll("[data-live]")) {
    const { live, liveNumbers } = part.dataset;
    const isMeant = isForAll || live.split(" ").includes(kind);
    const about = JSON.parse(liveNumbers ?? "[]").filter(Boolean);
    if (isMeant && (!numbers.length || about.every((each) => numbers.includes(each)))) {
      waiting.add(part.id);
    }
  }
  renewSoon(REFRESH_MILLISECONDS);
}

function showState() {
  const shown = failures > 1 ? "cut" : stream;
  document.getElementById("live-state")?.toggleAttribute("hidden", shown !== "cut");
  document.getElementById("poll-state")?.toggleAttribute("hidden", shown !== "silent");
}

// A page that a form answered may stand at an address of the form's own.
function findAddress() {
  return document.querySelector("[data-address]")?.dataset.address ?? location.href;
}

function renewSoon(delay) {
  if (waiting.size) timer ||= setTimeout(refresh, delay);
}

async function refresh() {
  const ids = [...waiting];
  waiting.clear();
  try {
    replaceParts(await fetchPage(findAddress()), ids.map((id) => `#${CSS.escape(id)}`).join());
    failures = 0;
    document.dispatchEvent(new CustomEvent("letterbox:renewed"));
  } catch (error) {
    console.info(`not renewed: ${error.message}`);
    if (!error.isFinal) {
      for (const id of ids) waiting.add(id);
      failures += 1;
    }
  }
  showState();
  timer = 0;
  renewSoon(failures ? RETRY_MILLISECONDS[Math.min(failures, RETRY_MILLISECONDS.length) - 1] : REFRESH_MILLISECONDS);
}

// An open stream may still be silent: some proxies buffer answers until they end.
function listen() {
  const tell = (message) => { channel.postMessage(message); hear(message); };
  const setState = (state) => { if (state !== stream) tell({ kind: "state", numbers: state }); };
  const source = new EventSource(LIVE);
  let silence = 0;
  let polling = 0;
  const poll = () => tell({ kind: "poll", numbers: [] });
  const lose = (state) => {
    setState(state);
    if (polling) return;
    polling = setInterval(poll, POLL_MILLISECONDS);
    poll();
  };
  const expect = (delay) => {
    clearTimeout(silence);
    silence = setTimeout(() => lose("silent"), delay);
  };
  for (const kind of ["ready", "message", "outbound", "status", "alert", "reset", "ping"]) {
    source.addEventListener(kind, (event) => {
      clearInterval(polling);
      polling = 0;
      setState("live");
      expect(SILENCE_MILLISECONDS);
      const numbers = JSON.parse(event.data || "[]");
      if (kind !== "ping") tell({ kind, numbers: Array.isArray(numbers) ? numbers : [] });
    });
  }
  source.onerror = () => {
    lose("cut");
    expect(READY_MILLISECONDS);
    if (source.readyState !== EventSource.CLOSED) return;
    clearTimeout(silence);
    setTimeout(() => { clearInterval(polling); listen(); }, 5000);
  };
  expect(READY_MILLISECONDS);
  // A tab that has just been opened does not know the state yet.
  channel.onmessage = ({ data }) => {
    if (data.kind === "hello") channel.postMessage({ kind: "state", numbers: stream });
    else hear(data);
  };
}

function goLive() {
  channel.onmessage = ({ data }) => { if (data.kind !== "hello") hear(data); };
  channel.postMessage({ kind: "hello" });
  if (navigator.locks) navigator.locks.request(`letterbox-live${ROOT}`, () => { listen(); return new Promise(() => {}); });
  else listen();
}

// Parts that are asked for again every so many milliseconds, for as long as `data-poll` is in them.

function poll() {
  const marks = [...document.querySelectorAll("[data-poll]")];
  if (!marks.length) return;
  setTimeout(() => {
    for (const mark of marks) if (mark.isConnected) waiting.add(mark.closest("[id]").id);
    renewSoon(0);
    poll();
  }, Math.min(...marks.map((mark) => Number(mark.dataset.poll))));
}

// A page that takes long, for the provider or the database is slow: say that something goes on.

function tellOfWaiting() {
  setTimeout(() => {
    const note = document.getElementById("slow-state");
    if (note) note.hidden = false;
  }, SLOW_MILLISECONDS);
}

function isToOurPage(link) {
  return link && link.origin === location.origin && !link.target && !link.hash
    && !link.pathname.endsWith("/csv");
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
    const parts = form.dataset.instant.split(" ").map((id) => document.getElementById(id));
    for (const part of parts) part?.setAttribute("aria-busy", "true");
    try {
      const page = await fetchPage(address);
      if (mine !== count) return;
      history.replaceState(null, "", address);
      const ids = form.dataset.instant.split(" ").map((id) => `#${CSS.escape(id)}`);
      replaceParts(page, ids.join());
    } catch (error) {
      console.info(`not searched: ${error.message}`);
    } finally {
      if (mine === count) for (const part of parts) part?.removeAttribute("aria-busy");
    }
  };
  const soon = () => { clearTimeout(delay); delay = setTimeout(search, INSTANT_MILLISECONDS); };
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(delay); search(); });
}

// What is written is counted by the server, which knows the alphabets.

function countWhileTyping(field) {
  const place = document.getElementById(field.dataset.measured);
  let delay = 0;
  let count = 0;
  const show = async () => {
    const mine = ++count;
    const body = new URLSearchParams({ body: field.value, to: field.form.elements.to?.value ?? "" });
    try {
      const answer = await fetch(`${ROOT}/measure`, { method: "POST", body });
      if (answer.ok && mine === count) place.innerHTML = await answer.text();
    } catch (error) {
      console.info(`not counted: ${error.message}`);
    }
  };
  field.form.addEventListener("input", (event) => {
    if (event.target !== field && event.target.name !== "to") return;
    clearTimeout(delay);
    delay = setTimeout(show, COUNT_MILLISECONDS);
  });
  if (field.value && !place.textContent.trim()) show();
}

// A rule's draft is tried over real texts while somebody writes it.

function tryWhileTyping(form) {
  const place = document.getElementById(form.dataset.tried);
  let delay = 0;
  let count = 0;
  const attempt = async () => {
    const mine = ++count;
    try {
      const answer = await fetch(`${ROOT}/rules/try`, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (answer.ok && mine === count) {
        const part = new DOMParser().parseFromString(await answer.text(), "text/html").body;
        prepare(part);
        place.replaceChildren(...part.childNodes);
      }
    } catch (error) {
      console.info(`not tried: ${error.message}`);
    }
  };
  form.addEventListener("input", () => { clearTimeout(delay); delay = setTimeout(attempt, TRY_MILLISECONDS); });
  if (form.elements.reply.value && !place.querySelector("strong")) attempt();
}

// Fields that only one choice needs: `data-for-kind="list"` belongs to the field `kind`.

function showChosen(form) {
  for (const part of form.querySelectorAll("[data-for-kind], [data-for-source]")) {
    const [name, value] = part.dataset.forKind ? ["kind", part.dataset.forKind] : ["source", part.dataset.forSource];
    part.hidden = form.elements[name].value !== value;
  }
}

// Keys for those who read many texts: / j k Enter r ?

const KEYS_OFF = "letterbox-keys-off";

function listRows() {
  return [...document.querySelectorAll("[data-list] a.row")];
}

function step(by) {
  const rows = listRows();
  const here = rows.indexOf(document.activeElement);
  rows[here < 0 ? (by > 0 ? 0 : rows.length - 1) : here + by]?.focus();
}

function findReply() {
  const row = document.activeElement?.closest?.("[data-list] a.row");
  return row ? `${row.href.split("#")[0]}#body` : null;
}

const KEYS = {
  "j": () => step(1),
  "k": () => step(-1),
  "/": () => {
    const field = document.querySelector('[data-hotkey="/"]');
    if (field) field.focus();
    else location.assign("/");
  },
  "r": () => {
    const field = document.querySelector('[data-hotkey="r"]');
    if (field) field.focus();
    else if (findReply()) location.assign(findReply());
  },
  "?": () => document.getElementById("keys")?.showModal(),
};

// Escape leaves a field; a search is emptied, and so is what it found.
function leave(field) {
  const isSearch = field.type === "search" && field.value !== "";
  if (isSearch) field.value = "";
  if (isSearch && field.form.dataset.instant) field.dispatchEvent(new Event("input", { bubbles: true }));
  else if (isSearch) field.form.requestSubmit();
  field.blur();
}

function press(event) {
  const isTyping = event.target.matches?.("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && isTyping && !event.isComposing) leave(event.target);
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (localStorage.getItem(KEYS_OFF) && event.key !== "?") return;
  const act = KEYS[event.key];
  if (!act || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  act();
}

function offerKeys() {
  const box = document.getElementById("keys-on");
  if (!box) return;
  box.checked = !localStorage.getItem(KEYS_OFF);
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
  });
  document.addEventListener("keydown", press);
}

document.addEventListener("animationend", (event) => event.target.classList.remove("fresh"));
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
});
prepare();
offerKeys();
setInterval(showTimes, 30_000);
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented && event.target.method !== "dialog") tellOfWaiting();
});
document.addEventListener("click", (event) => {
  const isPlain = !event.defaultPrevented && event.button === 0 && !event.ctrlKey && !event.metaKey;
  if (isPlain && isToOurPage(event.target.closest?.("a[href]"))) tellOfWaiting();
});
addEventListener("pageshow", () => document.getElementById("slow-state")?.toggleAttribute("hidden", true));
document.querySelectorAll("form[data-instant]").forEach(searchInstantly);
document.querySelectorAll("form[data-tried]").forEach(tryWhileTyping);
document.querySelectorAll("[data-measured]").forEach(countWhileTyping);
for (const form of document.querySelectorAll("form:has([data-for-kind])")) {
  showChosen(form);
  form.addEventListener("change", () => showChosen(form));
}
document.addEventListener("focusout", () => {
  for (const id of held) waiting.add(id);
  held.clear();
  renewSoon(REFRESH_MILLISECONDS);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) hear({ kind: "ready", numbers: [] });
});
if (document.querySelector("[data-live]")) goLive();
poll();
