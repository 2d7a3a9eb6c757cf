// The keys of the review: 1 right, 2 wrong, 3 or space skip, Z back, arrows move, / search.
(() => {
  const cards = document.getElementById("cards");
  if (!cards) return;
  const query = document.getElementById("query");
  const told = document.getElementById("told");
  const list = () => Array.from(cards.querySelectorAll(".seal-card"));
  const isTodo = (card) => !card.dataset.judged && !card.dataset.sent;
  const find = (id) => document.getElementById(`card-${id}`);
  const judged = []; // ids of the cards that were judged, the newest last
  let current = null; // id of the card that the keys are for
  const waiting = new Set(); // ids of the cards whose judgements are being entered
  let awaitsMore = false; // the cards that follow are being loaded

  function select(card, scroll = true) {
    for (const other of cards.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    current = card ? card.dataset.id : null;
    if (!card) return;
    card.setAttribute("aria-current", "true");
    if (document.activeElement !== query) card.focus({ preventScroll: true });
    if (scroll) card.scrollIntoView({ block: "nearest" });
  }

  function move(steps) {
    const all = list();
    const from = all.findIndex((card) => card.dataset.id === current);
    const to = from < 0 ? 0 : from + steps;
    if (all[to]) select(all[to]);
  }

  function goToNext() {
    const all = list();
    const from = all.findIndex((card) => card.dataset.id === current);
    const next = [...all.slice(from + 1), ...all.slice(0, Math.max(from, 0))].find(isTodo);
    const more = cards.querySelector("form.more");
    if (next) select(next);
    else if (more && !awaitsMore) {
      awaitsMore = true;
      more.requestSubmit();
    } else move(1);
  }

  function goBack() {
    const card = find(judged.pop());
    if (card) select(card);
  }

  function judge(word) {
    const card = find(current);
    if (card && !card.dataset.sent) card.querySelector(`[name="judged"][value="${word}"]`)?.click();
  }

  const countColumns = () => getComputedStyle(cards).gridTemplateColumns.split(" ").length;
  const actions = {
    Digit1: () => judge("right"), Numpad1: () => judge("right"), Digit2: () => judge("wrong"), Numpad2: () => judge("wrong"),
    Digit3: goToNext, Numpad3: goToNext, Space: goToNext,
    KeyZ: goBack,
    ArrowLeft: () => move(-1), ArrowRight: () => move(1),
    ArrowUp: () => move(-countColumns()), ArrowDown: () => move(countColumns()),
    Slash: () => { query.focus(); query.select(); },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.code || event.key; // the place of the key: a Chinese input method swallows letters
    if (event.target === query) {
      if (key === "Escape") query.blur();
      return;
    }
    if (event.target.closest("a, button, input, summary") && (key === "Space" || key.startsWith("Arrow"))) return;
    if (!actions[key]) return;
    if (!event.repeat || key.startsWith("Arrow")) actions[key]();
    event.preventDefault();
  });

  cards.addEventListener("click", (event) => {
    const card = event.target.closest(".seal-card");
    if (card && !event.target.closest("button")) select(card, false);
  });

  // a judgement is entered while the next card is looked at; one that was refused leads back to its card
  document.addEventListener("htmx:beforeRequest", (event) => {
    const card = event.target.closest?.(".seal-card");
    if (!card) return;
    card.dataset.sent = "yes";
    waiting.add(card.dataset.id);
    judged.push(card.dataset.id);
    current = card.dataset.id;
    goToNext();
  });

  document.addEventListener("htmx:afterSettle", () => {
    for (const id of waiting) {
      const card = find(id);
      if (card?.dataset.sent) continue;
      waiting.delete(id);
      if (card?.querySelector(".fault")) select(card);
      else if (card) told.textContent = told.dataset.recorded;
    }
    const following = awaitsMore && list().find(isTodo);
    if (following) {
      awaitsMore = false;
      select(following);
    }
    if (!find(current)) select(list().find(isTodo) || list()[0], false);
  });

  for (const unsaved of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(unsaved, (event) => {
      const card = event.target.closest?.(".seal-card");
      if (!card) return;
      delete card.dataset.sent;
      waiting.delete(card.dataset.id);
      select(card);
    });
  }

  select(list().find(isTodo) || list()[0], false);
})();
