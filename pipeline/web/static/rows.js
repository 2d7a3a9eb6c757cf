// Rows by keyboard: j and k or the arrows go from row to row, Escape closes the row in which the focus is.
"use strict";

const isTyping = (element) => element.matches("input, select, textarea");

document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
  const row = event.target.closest("tbody.row");
  if (event.key === "Escape" && row && row.classList.contains("opened")) {
    row.querySelector("button.row-name").click();
    row.querySelector("button.row-name").focus();
    return;
  }
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (!step || isTyping(event.target)) return;
  const names = [...document.querySelectorAll("button.row-name")];
  if (names.length === 0) return;
  const here = row ? names.indexOf(row.querySelector("button.row-name")) : -1;
  const next = here < 0 ? 0 : Math.min(names.length - 1, Math.max(0, here + step));
  names[next].focus();
  event.preventDefault();
});

// a decision starts a check: its end is asked for at once, not with the next look at the state
document.addEventListener("htmx:afterRequest", (event) => {
  const path = event.detail.pathInfo.requestPath;
  if (path === "/rows/save" || path === "/rows/choose") htmx.trigger("#rows-state", "renew");
});

// the first field of what was opened is typed into; the rows of a newer check are shown at once where no row is being corrected
document.addEventListener("htmx:load", (event) => {
  if (event.target.matches("tbody.opened, form.cell") && matchMedia("(hover: hover)").matches) {
    const field = event.target.querySelector('input[type="text"]');
    if (field) field.focus();
  }
  const renew = event.target.querySelector && event.target.querySelector("#renew");
  if (renew && !document.querySelector("tbody.opened:not(.saved), tbody.opened form.cell")) renew.click();
});
