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
    if (isKnown && texts.length && isListening && !isAnyTabSeen()) notify(texts);
  } catch (error) {
    console.info(`unread texts not counted: ${error.message}`);
  }
}

function notify(texts) {
  const choice = localStorage.getItem(NOTIFY);
  if (!choice || globalThis.Notification?.permission !== "granted") return;
  const [text] = texts;
  const isOne = texts.every(({ conversation }) => conversation === text.conversation);
  const note = new Notification(isOne ? text.name : `${texts.length} new texts`, {
    body: isOne && choice === "text" ? text.body : isOne ? "New text" : "",
    icon: plain,
    tag: `letterbox${ROOT}/${isOne ? text.conversation : ""}`,
  });
  // Not in this tab: somebody may be writing in it.
  note.onclick = () => { open(isOne ? text.path : `${ROOT}/`, "letterbox-new-texts"); note.close(); };
}

function offerNotifications() {
  if (!globalThis.Notification) return;
  const [button, box, refused] = ["switch", "text", "refused"].map((id) => document.getElementById(`notify-${id}`));
  const isOn = () => localStorage.getItem(NOTIFY) !== null && Notification.permission === "granted";
  const show = () => {
    button.textContent = isOn() ? "Turn off notifications" : "Turn on notifications";
    box.checked = localStorage.getItem(NOTIFY) === "text";
    refused.hidden = Notification.permission !== "denied";
  };
  const choose = () => localStorage.setItem(NOTIFY, box.checked ? "text" : "sender");
  button.addEventListener("click", async () => {
    if (isOn()) localStorage.removeItem(NOTIFY);
    else if (await Notification.requestPermission() === "granted") choose();
    show();
  });
  box.addEventListener("change", () => { if (isOn()) choose(); });
  for (const opener of document.querySelectorAll('[data-opens="notify"]')) opener.hidden = false;
  show();
}

export function attend() {
  offerNotifications();
  look();
  document.addEventListener("letterbox:heard", ({ detail }) => {
    if (["message", "read", "ready", "reset", "poll"].includes(detail.kind)) timer ||= setTimeout(look, WAIT_MILLISECONDS);
  });
}
