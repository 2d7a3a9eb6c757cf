// Shows the run that is under way as its events come; where none come, it asks every two seconds.
"use strict";
(() => {
  const page = document.getElementById("send"), live = document.getElementById("live");
  let isTouched = page.hasAttribute("data-touched"), comes = false;
  page.addEventListener("input", () => { isTouched = true; });
  const source = new EventSource(page.dataset.events);
  source.onmessage = (message) => {
    comes = true;
    if (live) live.innerHTML = message.data;
  };
  source.addEventListener("other", () => {
    source.close();
    if (isTouched && !live) document.getElementById("changed").hidden = false;
    else location.assign("/send");
  });
  source.onerror = () => { comes = false; };
  if (live) setInterval(() => { if (!comes) htmx.trigger(live, "renew"); }, 2000);
})();
