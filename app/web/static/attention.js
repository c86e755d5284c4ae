// What tells of new texts while the person looks elsewhere: the title, the icon, notifications.

import { ROOT } from "./parts.js";
import { isAnyTabSeen, isListening } from "./live.js";

const NOTIFY = "letterbox-notify"; // "sender" or "text", once a person has asked for it
const WAIT_MILLISECONDS = 500;
const MOST = 99;
const { title } = document;
const icon = document.getElementById("icon");
const plain = icon.href;
let newest = "";
let timer = 0;

function show(unread) {
  document.title = unread ? `(${unread > MOST ? `${MOST}+` : unread}) ${title}` : title;
  icon.href = unread ? plain.replace(/\.svg$/, `-${unread}.svg`) : plain;
}

async function look() {
  timer = 0;
  try {
    const answer = await fetch(`${ROOT}/unread?after=${newest}`);
    if (answer.redirected || !answer.ok) return;
    const { unread, newest: last, texts } = await answer.json();
    show(unread);
    const isKnown = newest !== "";
    newest = last;
    if (isKnown && texts.length && isListening && !(await isAnyTabSeen())) notify(texts);
  } catch (error) {
    console.info(`unread texts not counted: ${error.message}`);
  }
}

function notify(texts) {
  const choice = localStorage.getItem(NOTIFY);
  if (!choice || globalThis.Notification?.permission !== "granted") return;
  const [text] = texts;
  const isOne = texts.every(({ path }) => path === text.path);
  const note = new Notification(isOne ? text.name : `${texts.length} new texts`, {
    body: isOne && choice === "text" ? text.body : isOne ? "New text" : "",
    icon: plain,
    tag: `letterbox${ROOT}${isOne ? text.path : ""}`,
  });
  // Not in this tab: somebody may be writing in it.
  note.onclick = () => { open(isOne ? text.path : `${ROOT}/`, "letterbox-new-texts"); note.close(); };
}

function showChoice() {
  const isOn = localStorage.getItem(NOTIFY) !== null && Notification.permission === "granted";
  document.getElementById("notify-on").hidden = isOn;
  document.getElementById("notify-off").hidden = !isOn;
  document.getElementById("notify-refused").hidden = Notification.permission !== "denied";
  document.getElementById("notify-text").checked = localStorage.getItem(NOTIFY) === "text";
}

function offerNotifications() {
  if (!globalThis.Notification) return;
  const box = document.getElementById("notify-text");
  const choose = () => localStorage.setItem(NOTIFY, box.checked ? "text" : "sender");
  for (const opener of document.querySelectorAll('[data-opens="notify"]')) opener.hidden = false;
  document.getElementById("notify-on").addEventListener("click", async () => {
    if (await Notification.requestPermission() === "granted") choose();
    showChoice();
  });
  document.getElementById("notify-off").addEventListener("click", () => {
    localStorage.removeItem(NOTIFY);
    showChoice();
  });
  box.addEventListener("change", () => { if (localStorage.getItem(NOTIFY)) choose(); });
  showChoice();
}

export function attend() {
  offerNotifications();
  look();
  document.addEventListener("letterbox:heard", ({ detail }) => {
    if (["message", "read", "ready", "reset", "poll"].includes(detail.kind)) timer ||= setTimeout(look, WAIT_MILLISECONDS);
  });
}
