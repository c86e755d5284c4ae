// Times are typed in the browser's zone: it is named beside the field, and sent with the form.

const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

// What a field for a date and a time takes, in the browser's zone.
function writeLocal(moment) {
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

if (zone) {
  for (const field of document.querySelectorAll("input[data-zone]")) field.value = zone;
  for (const name of document.querySelectorAll("[data-zone-name]")) name.textContent = zone;
  for (const field of document.querySelectorAll("input[data-moment]")) {
    field.value = writeLocal(new Date(field.dataset.moment));
  }
}
