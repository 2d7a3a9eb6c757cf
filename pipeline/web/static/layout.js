// Says that nothing was saved, where the program cannot be reached or a proxy asks to sign in; the page's own refusals are put there, too.
"use strict";
(() => {
  const told = document.getElementById("unsaved");
  if (!told) return;
  let isPressed = false; // what is said is about a button, which stays so until one is pressed with success

  const ofButton = (event) => ["click", "submit"].includes(event.detail.requestConfig?.triggeringEvent?.type);

  function tell(text) {
    if (told.textContent === text) return;
    const line = document.createElement("p");
    line.className = "banner failed";
    line.setAttribute("role", "alert");
    line.textContent = text;
    told.replaceChildren(line);
  }

  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => tell(told.dataset.unreached));
  }

  // a proxy that asks to sign in leads to a page of its own
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { finalRequestPath, responsePath } = event.detail.pathInfo;
    if (!responsePath || responsePath.split("?")[0] === finalRequestPath.split("?")[0]) return;
    event.detail.shouldSwap = false;
    tell(told.dataset.out);
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) isPressed ||= ofButton(event);
    else if (!isPressed || ofButton(event)) {
      isPressed = false;
      told.replaceChildren();
    }
  });

  // a form that htmx does not send
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || navigator.onLine) return;
    event.preventDefault();
    tell(told.dataset.unreached);
  });
})();
