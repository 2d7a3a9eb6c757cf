"use strict";
(() => {
  const page = document.body.dataset;
  const words = JSON.parse(page.words);
  const elementOf = (id) => document.getElementById(id);
  const judging = page.site !== "";
  const made = Number(page.made);
  const shelf = "esign-import-review-" + page.site;
  const cards = Array.from(document.querySelectorAll(".card"), (element) => ({
    element,
    id: element.dataset.id,
    group: element.dataset.group,
    warned: "warned" in element.dataset,
    name: element.querySelector("h2").textContent,
    text: null,
  }));
  const byId = Map.groupBy
    ? Map.groupBy(cards.filter((card) => card.id), (card) => card.id)
    : cards.reduce((map, card) => (card.id ? map.set(card.id, [...(map.get(card.id) || []), card]) : map), new Map());
  const byElement = new Map(cards.map((card) => [card.element, card]));
  const marks = new Map(); // id -> {judgement, when}
  const undo = [];
  let filter = "all";
  let shown = cards;
  let current = null;
  let kept = true; // whether the browser keeps the progress
  let unsaved = false;

  const fill = (text, blanks) => text.replace(/\{(\w+)\}/g, (_, name) => blanks[name]);

  let fading = 0;
  function showToast(text) {
    const toast = elementOf("toast");
    toast.textContent = text;
    toast.classList.add("shown");
    clearTimeout(fading);
    fading = setTimeout(() => toast.classList.remove("shown"), 2600);
  }

  // --- progress, kept in the browser: digests, words and times, no name and no number

  function recall() {
    let stored = {};
    try {
      stored = JSON.parse(localStorage.getItem(shelf) || "{}");
    } catch {
      kept = false;
    }
    for (const [id, group] of byId) {
      const known = group[0].element.dataset.judged;
      const own = Array.isArray(stored[id]) ? stored[id] : null;
      // what the ledger knew when the page was made outweighs what this browser heard before
      if (own && (own[0] === "right" || own[0] === "wrong") && (!known || own[1] > made)) {
        mark(id, { judgement: own[0], when: own[1] });
      } else if (known) {
        mark(id, { judgement: known, when: made });
      }
    }
  }

  function remember() {
    if (!kept) return;
    try {
      const stored = JSON.parse(localStorage.getItem(shelf) || "{}");
      for (const id of byId.keys()) {
        const one = marks.get(id);
        if (one) stored[id] = [one.judgement, one.when];
        else delete stored[id];
      }
      localStorage.setItem(shelf, JSON.stringify(stored));
    } catch {
      kept = false;
      showToast(words.unkept);
    }
  }

  function mark(id, one) {
    if (one) marks.set(id, one);
    else marks.delete(id);
    for (const card of byId.get(id)) {
      if (one) card.element.dataset.mark = one.judgement;
      else delete card.element.dataset.mark;
    }
  }

  // --- what is shown

  const isTodo = (card) => card.id && !marks.has(card.id);
  const judgementOf = (card) => card.id && marks.get(card.id)?.judgement;
  const answers = {
    all: () => true,
    todo: isTodo,
    right: (card) => judgementOf(card) === "right",
    wrong: (card) => judgementOf(card) === "wrong",
    warn: (card) => card.warned,
  };

  function show() {
    const query = elementOf("search").value.normalize("NFKC").trim().toLowerCase();
    const fits = answers[filter] || ((card) => card.group === filter);
    shown = cards.filter((card) => {
      if (!fits(card)) return false;
      if (!query) return true;
      card.text ??= card.element.textContent.normalize("NFKC").toLowerCase();
      return card.text.includes(query);
    });
    const visible = new Set(shown);
    for (const card of cards) {
      const hide = !visible.has(card);
      if (card.element.hidden !== hide) card.element.hidden = hide;
    }
    elementOf("nothing").hidden = shown.length > 0 || cards.length === 0;
    for (const button of elementOf("filters").children) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
    }
    if (!visible.has(current)) go(shown.find(isTodo) || shown[0] || null, false);
    else showPosition();
  }

  function choose(name) {
    filter = name;
    current?.element.removeAttribute("aria-current");
    current = null;
    show();
    scrollTo(0, 0);
  }

  function count() {
    if (!judging) return;
    let right = 0;
    let wrong = 0;
    let judged = 0;
    for (const card of cards) {
      const word = judgementOf(card);
      if (word) judged += 1;
      if (word === "right") right += 1;
      if (word === "wrong") wrong += 1;
    }
    const all = cards.filter((card) => card.id).length;
    const figures = { todo: all - judged, right, wrong };
    for (const button of elementOf("filters").children) {
      const figure = figures[button.dataset.filter];
      if (figure !== undefined) button.querySelector("span").textContent = figure;
    }
    elementOf("done").textContent = judged;
    elementOf("bar").value = judged;
    elementOf("save").disabled = marks.size === 0;
  }

  // --- moving and judging

  function go(card, scroll = true) {
    current?.element.removeAttribute("aria-current");
    current = card;
    if (card) {
      card.element.setAttribute("aria-current", "true");
      if (document.activeElement !== elementOf("search")) card.element.focus({ preventScroll: true });
      if (scroll) bring(card.element);
    }
    showPosition();
  }

  function bring(element) {
    const floor = judging ? document.querySelector(".dock").getBoundingClientRect().top : innerHeight;
    const ceiling = Math.max(0, document.querySelector(".top").getBoundingClientRect().bottom);
    const { top, bottom } = element.getBoundingClientRect();
    if (top < ceiling || bottom > floor) element.scrollIntoView({ block: "start" });
  }

  function showPosition() {
    if (!judging) return;
    elementOf("current").textContent = current ? current.name : "";
    elementOf("place").textContent = current ? `${shown.indexOf(current) + 1} / ${shown.length}` : "";
    for (const button of document.querySelectorAll("[data-key=right], [data-key=wrong]")) {
      button.disabled = !current?.id;
    }
  }

  function move(steps) {
    if (!shown.length) return;
    const from = shown.indexOf(current);
    const to = from < 0 ? 0 : from + steps;
    if (to >= 0 && to < shown.length) go(shown[to]);
  }

  function goToNext() {
    const from = shown.indexOf(current);
    const next = [...shown.slice(from + 1), ...shown.slice(0, Math.max(from, 0))].find(isTodo);
    if (next) go(next);
    else showPosition();
    return next;
  }

  function judge(word, card = current) {
    if (!card?.id) return;
    if (card !== current) go(card, false);
    undo.push([card, marks.get(card.id)]);
    mark(card.id, { judgement: word, when: Date.now() });
    unsaved = true;
    remember();
    count();
    const next = goToNext();
    const text = fill(words.judged, { name: card.name, word: words[word] });
    showToast(next || cards.some(isTodo) ? text : words.done);
  }

  function undoJudgement() {
    const last = undo.pop();
    if (!last) return;
    const [card, before] = last;
    mark(card.id, before);
    remember();
    count();
    if (card.element.hidden) choose("all");
    go(card);
    showToast(fill(words.undone, { name: card.name }));
  }

  const across = () => getComputedStyle(elementOf("cards")).gridTemplateColumns.split(" ").length;
  const does = { right: () => judge("right"), wrong: () => judge("wrong"), skip: () => goToNext() || move(1), undo: undoJudgement };

  // --- saving and opening

  function save() {
    const judged = {};
    const figures = { right: 0, wrong: 0 };
    for (const id of [...byId.keys()].sort()) {
      const one = marks.get(id);
      if (!one) continue;
      judged[id] = one.judgement;
      figures[one.judgement] += 1;
    }
    if (!figures.right && !figures.wrong) return;
    const review = {
      schema: 1, tool: "esign-import", kind: "review", run: page.run, site: page.site, saved: new Date().toISOString(),
      ...figures, judgements: judged,
    };
    const link = document.createElement("a");
    const address = URL.createObjectURL(new Blob([JSON.stringify(review, null, 1) + "\n"], { type: "application/json" }));
    link.href = address;
    link.download = page.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    unsaved = false;
    elementOf("saved").hidden = false;
    elementOf("toast").classList.remove("shown");
  }

  async function open(file) {
    let review = null;
    try {
      review = JSON.parse(await file.text());
    } catch {
      review = null;
    }
    if (review?.tool !== "esign-import" || review.kind !== "review" || review.site !== page.site) {
      showToast(words.stranger);
      return;
    }
    let opened = 0;
    for (const [id, word] of Object.entries(review.judgements)) {
      if (!byId.has(id) || (word !== "right" && word !== "wrong")) continue;
      mark(id, { judgement: word, when: Date.now() });
      opened += 1;
    }
    remember();
    count();
    show();
    showToast(fill(words.opened, { n: opened }));
  }

  // --- events

  const measure = () => {
    document.documentElement.style.setProperty("--top", `${document.querySelector(".top").offsetHeight}px`);
  };
  new ResizeObserver(measure).observe(document.querySelector(".top"));
  measure();

  let waiting = 0;
  elementOf("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 80);
  });
  elementOf("filters").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button.dataset.filter);
  });
  elementOf("cards").addEventListener("click", (event) => {
    const card = byElement.get(event.target.closest(".card"));
    if (!card) return;
    const word = event.target.dataset.say;
    if (word) judge(word, card);
    else go(card, false);
  });

  document.addEventListener("keydown", (event) => {
    // the place of the key, not its letter: a Chinese input method swallows letters
    const key = event.code || event.key;
    if ((event.ctrlKey || event.metaKey) && key === "KeyS") {
      if (judging) {
        event.preventDefault();
        save();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === elementOf("search");
    if (key === "Escape") {
      if (typing && elementOf("search").value) {
        elementOf("search").value = "";
        show();
      }
      elementOf("search").blur();
      if (judging) elementOf("saved").hidden = true;
      return;
    }
    if (typing) {
      if (key === "Enter" || key === "NumpadEnter") {
        show();
        elementOf("search").blur();
        go(current);
      }
      return;
    }
    if (event.target.closest("button, input, label") && (key === "Space" || key === "Enter")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(), ArrowDown: across() }[key];
    const act = {
      Digit1: "right", Numpad1: "right", Digit2: "wrong", Numpad2: "wrong", Digit3: "skip", Numpad3: "skip", Space: "skip",
      KeyZ: "undo", Backspace: "undo",
    }[key];
    if (steps) {
      move(steps);
    } else if (act && (judging || act === "skip")) {
      if (!event.repeat) does[act](); // a key that is held down judges one card, not a hundred
    } else if (key === "Slash") {
      elementOf("search").focus();
      elementOf("search").select();
    } else {
      return;
    }
    event.preventDefault();
  });

  if (judging) {
    elementOf("save").addEventListener("click", save);
    elementOf("close").addEventListener("click", () => { elementOf("saved").hidden = true; });
    elementOf("open").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) open(file);
      event.target.value = "";
    });
    document.querySelector(".keys").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) does[button.dataset.key]();
    });
    addEventListener("beforeunload", (event) => {
      if (unsaved && !kept) event.preventDefault();
    });
    recall();
    filter = "todo";
    if (!cards.some(isTodo)) filter = "all";
  }
  count();
  show();
})();
