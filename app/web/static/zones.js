// Times are typed in the browser's zone, which is named beside the field and sent with the form.
const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
const fill = (selector, put) => { if (zone) document.querySelectorAll(selector).forEach(put); };

fill("input[data-zone]", (field) => { field.value = zone; });
fill("[data-zone-name]", (name) => { name.textContent = zone; });
fill("input[data-moment]", (field) => {
  const moment = new Date(field.dataset.moment);
  field.value = new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
});
