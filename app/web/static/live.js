// Live arrival. One tab alone listens and tells the others: browsers allow few connections.

import { ROOT, describeSight, fetchPage, held, replaceParts } from "./parts.js";

const LIVE = `${ROOT}/live`;
const KINDS = ["ready", "message", "outbound", "status", "alert", "draft", "read", "conversation", "reset", "ping"];
const REFRESH_MILLISECONDS = 700;
const RETRY_MILLISECONDS = 2000; // twice as long after each failure
const MOST_RETRY_MILLISECONDS = 30000;
const READY_MILLISECONDS = 6000;
const SILENCE_MILLISECONDS = 45000; // the stream sends something every 15 seconds
const POLL_MILLISECONDS = 10000;

const channel = new BroadcastChannel(`letterbox${ROOT}`);
const waiting = new Set();
let timer = 0;
let pollTimer = 0;
let failures = 0;
let stream = "live"; // or "cut", or "silent" if a proxy buffers it
let isSeenElsewhere = false; // another tab was in sight when the newest text came
let hasMissed = false; // something arrived out of sight: it is not marked as read yet

// Whether this tab is the one that listens.
export let isListening = false;

export const isAnyTabSeen = () => !document.hidden || isSeenElsewhere;

function hear(message) {
  const { kind, numbers } = message;
  if (kind === "state") {
    stream = numbers;
    return showState();
  }
  if (kind === "seen") isSeenElsewhere = true;
  if (kind === "seen" || (kind === "poll" && document.hidden)) return; // that is for when it is visible
  if (kind === "message") isSeenElsewhere = false;
  if (kind === "message" && !document.hidden) channel.postMessage({ kind: "seen" });
  document.dispatchEvent(new CustomEvent("letterbox:heard", { detail: message }));
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

// A part may have an address of its own. A page that a form answered may stand at the form's.
function findAddress(id) {
  const own = document.getElementById(id)?.dataset.from;
  return own ?? document.querySelector("[data-address]")?.dataset.address ?? location.href;
}

function renewSoon(delay) {
  if (waiting.size) timer ||= setTimeout(refresh, delay);
}

async function refresh() {
  const ids = [...waiting];
  waiting.clear();
  try {
    hasMissed = describeSight() !== "seen";
    for (const address of new Set(ids.map(findAddress))) {
      const page = await fetchPage(address);
      replaceParts(page, ids.filter((id) => findAddress(id) === address));
    }
    failures = 0;
  } catch (error) {
    console.info(`not renewed: ${error.message}`);
    if (!error.isFinal) {
      for (const id of ids) waiting.add(id);
      failures += 1;
    }
  }
  showState();
  timer = 0;
  renewSoon(failures ? Math.min(RETRY_MILLISECONDS * 2 ** (failures - 1), MOST_RETRY_MILLISECONDS) : REFRESH_MILLISECONDS);
  pollSoon();
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
  for (const kind of KINDS) {
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
}

export function goLive() {
  channel.onmessage = ({ data }) => {
    // A tab that has just been opened does not know the state yet.
    if (data.kind !== "hello") hear(data);
    else if (isListening) channel.postMessage({ kind: "state", numbers: stream });
  };
  channel.postMessage({ kind: "hello" });
  const begin = () => { isListening = true; listen(); return new Promise(() => {}); };
  if (navigator.locks) navigator.locks.request(`letterbox-live${ROOT}`, begin);
  else begin();
  const catchUp = () => { hasMissed = false; hear({ kind: "ready", numbers: [] }); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  document.addEventListener("scroll", () => { if (hasMissed && describeSight() === "seen") catchUp(); }, { passive: true });
}

// Parts that are asked for again every so many milliseconds, for as long as `data-poll` is in them.
export function pollSoon() {
  const marks = [...document.querySelectorAll("[data-poll]")];
  if (!marks.length) return;
  pollTimer ||= setTimeout(() => {
    pollTimer = 0;
    for (const mark of marks) if (mark.isConnected) waiting.add(mark.closest("[id]").id);
    renewSoon(0);
    pollSoon();
  }, Math.min(...marks.map((mark) => Number(mark.dataset.poll))));
}

// Somebody has stopped typing in parts that were to be renewed.
document.addEventListener("focusout", () => {
  for (const id of held) waiting.add(id);
  held.clear();
  renewSoon(REFRESH_MILLISECONDS);
});
