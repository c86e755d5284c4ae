// Keys for those who read many texts. `data-hotkey="e"` gives an element its own: a field is
// focused by it, a button or a link is pressed.

import { ROOT } from "./parts.js";

const KEYS_OFF = "letterbox-keys-off";
const FIELDS = "input, textarea, select, [contenteditable]";

// In a list to the next row; beside an open conversation to the next one.
function step(by) {
  const rows = [...document.querySelectorAll("[data-list] a.row")];
  const open = rows.findIndex((row) => row.hasAttribute("aria-current"));
  const isOpen = document.querySelector("[data-to-end]") !== null;
  const here = isOpen ? open : rows.indexOf(document.activeElement);
  const next = rows[here < 0 ? (by > 0 ? 0 : rows.length - 1) : here + by];
  if (isOpen) next?.click();
  else next?.focus();
}

function reply() {
  const row = document.activeElement?.closest?.("[data-list] a.row");
  if (row) location.assign(`${row.href.split("#")[0]}#body`);
}

const go = (path) => location.assign(`${ROOT}${path}`);

// Where the page has no element of its own for a key.
const KEYS = {
  "j": () => step(1),
  "k": () => step(-1),
  "/": () => go("/"),
  "u": () => go("/"),
  "c": () => go("/new"),
  "r": reply,
  "?": () => document.getElementById("keys")?.showModal(),
};

function findAct(key) {
  const own = document.querySelector(`[data-hotkey="${CSS.escape(key)}"]`);
  if (!own) return KEYS[key];
  return () => (own.matches(FIELDS) ? own.focus() : own.click());
}

// Ctrl+Enter, or Cmd+Enter, sends what is being written.
function send(event) {
  const isAsked = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat;
  const button = isAsked && event.target.closest?.("form:has([data-measured])")?.querySelector("button.primary");
  if (!button) return;
  event.preventDefault();
  button.form.requestSubmit(button);
}

// Escape leaves a field; a search is emptied, and so is what it found.
function leave(field) {
  if (field.type === "search" && field.value !== "") {
    field.value = "";
    field.form.requestSubmit();
  }
  field.blur();
}

function press(event) {
  const isTyping = event.target.matches?.(FIELDS);
  if (event.key === "Escape" && isTyping && !event.isComposing) leave(event.target);
  send(event);
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (localStorage.getItem(KEYS_OFF) && event.key !== "?") return;
  const act = findAct(event.key);
  if (!act || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  act();
}

export function offerKeys() {
  const box = document.getElementById("keys-on");
  if (!box) return;
  box.checked = !localStorage.getItem(KEYS_OFF);
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
  });
  document.addEventListener("keydown", press);
}
