(() => {
  const page = document.body.dataset;
  const words = JSON.parse(page.words);
  const findElement = (id) => document.getElementById(id);
  const isJudging = page.site !== "";
  const made = Number(page.made);
  const storageKey = "esign-import-review-" + page.site;
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
  const judgements = new Map(); // id -> {judgement, when}
  const undo = [];
  let filter = "all";
  let shown = cards;
  let current = null;
  let isStored = true; // whether the browser keeps the progress
  let isUnsaved = false;

  const fillIn = (text, blanks) => text.replace(/\{(\w+)\}/g, (_, name) => blanks[name]);

  let toastTimer = 0;
  function showToast(text) {
    const toast = findElement("toast");
    toast.textContent = text;
    toast.classList.add("shown");
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => toast.classList.remove("shown"), 2600);
  }

  // --- progress, kept in the browser: digests, words and times, no name and no number

  function loadProgress() {
    let stored = {};
    try {
      stored = JSON.parse(localStorage.getItem(storageKey) || "{}");
    } catch {
      isStored = false;
    }
    for (const [id, group] of byId) {
      const known = group[0].element.dataset.judged;
      const own = Array.isArray(stored[id]) ? stored[id] : null;
      // what the ledger knew when the page was made outweighs what this browser heard before
      if (own && (own[0] === "right" || own[0] === "wrong") && (!known || own[1] > made)) {
        setJudgement(id, { judgement: own[0], when: own[1] });
      } else if (known) {
        setJudgement(id, { judgement: known, when: made });
      }
    }
  }

  function storeProgress() {
    if (!isStored) return;
    try {
      const stored = JSON.parse(localStorage.getItem(storageKey) || "{}");
      for (const id of byId.keys()) {
        const entry = judgements.get(id);
        if (entry) stored[id] = [entry.judgement, entry.when];
        else delete stored[id];
      }
      localStorage.setItem(storageKey, JSON.stringify(stored));
    } catch {
      isStored = false;
      showToast(words.unkept);
    }
  }

  function setJudgement(id, entry) {
    if (entry) judgements.set(id, entry);
    else judgements.delete(id);
    for (const card of byId.get(id)) {
      if (entry) card.element.dataset.judgement = entry.judgement;
      else delete card.element.dataset.judgement;
    }
  }

  // --- what is shown

  const isTodo = (card) => card.id && !judgements.has(card.id);
  const findJudgement = (card) => card.id && judgements.get(card.id)?.judgement;
  const answers = {
    all: () => true,
    todo: isTodo,
    right: (card) => findJudgement(card) === "right",
    wrong: (card) => findJudgement(card) === "wrong",
    warn: (card) => card.warned,
  };

  function showCards() {
    const query = findElement("search").value.normalize("NFKC").trim().toLowerCase();
    const matches = answers[filter] || ((card) => card.group === filter);
    shown = cards.filter((card) => {
      if (!matches(card)) return false;
      if (!query) return true;
      card.text ??= card.element.textContent.normalize("NFKC").toLowerCase();
      return card.text.includes(query);
    });
    const visible = new Set(shown);
    for (const card of cards) {
      const hide = !visible.has(card);
      if (card.element.hidden !== hide) card.element.hidden = hide;
    }
    findElement("nothing").hidden = shown.length > 0 || cards.length === 0;
    for (const button of findElement("filters").children) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
    }
    if (!visible.has(current)) select(shown.find(isTodo) || shown[0] || null, false);
    else showPosition();
  }

  function chooseFilter(name) {
    filter = name;
    current?.element.removeAttribute("aria-current");
    current = null;
    showCards();
    scrollTo(0, 0);
  }

  function showCounts() {
    if (!isJudging) return;
    let right = 0;
    let wrong = 0;
    let judged = 0;
    for (const card of cards) {
      const word = findJudgement(card);
      if (word) judged += 1;
      if (word === "right") right += 1;
      if (word === "wrong") wrong += 1;
    }
    const all = cards.filter((card) => card.id).length;
    const figures = { todo: all - judged, right, wrong };
    for (const button of findElement("filters").children) {
      const figure = figures[button.dataset.filter];
      if (figure !== undefined) button.querySelector("b").textContent = figure;
    }
    findElement("done").textContent = judged;
    findElement("bar").value = judged;
    findElement("save").disabled = judgements.size === 0;
  }

  // --- moving and judging

  function select(card, scroll = true) {
    current?.element.removeAttribute("aria-current");
    current = card;
    if (card) {
      card.element.setAttribute("aria-current", "true");
      if (document.activeElement !== findElement("search")) card.element.focus({ preventScroll: true });
      if (scroll) scrollToCard(card.element);
    }
    showPosition();
  }

  function scrollToCard(element) {
    const floor = isJudging ? document.querySelector(".dock").getBoundingClientRect().top : innerHeight;
    const ceiling = Math.max(0, document.querySelector(".top").getBoundingClientRect().bottom);
    const { top, bottom } = element.getBoundingClientRect();
    if (top < ceiling || bottom > floor) element.scrollIntoView({ block: "start" });
  }

  function showPosition() {
    if (!isJudging) return;
    findElement("current").textContent = current ? current.name : "";
    findElement("place").textContent = current ? `${shown.indexOf(current) + 1} / ${shown.length}` : "";
    for (const button of document.querySelectorAll("[data-key=right], [data-key=wrong]")) {
      button.disabled = !current?.id;
    }
  }

  function moveSelection(steps) {
    if (!shown.length) return;
    const from = shown.indexOf(current);
    const to = from < 0 ? 0 : from + steps;
    if (to >= 0 && to < shown.length) select(shown[to]);
  }

  function goToNext() {
    const from = shown.indexOf(current);
    const next = [...shown.slice(from + 1), ...shown.slice(0, Math.max(from, 0))].find(isTodo);
    if (next) select(next);
    else showPosition();
    return next;
  }

  function judge(word) {
    const card = current;
    if (!card?.id) return;
    undo.push([card, judgements.get(card.id)]);
    setJudgement(card.id, { judgement: word, when: Date.now() });
    isUnsaved = true;
    storeProgress();
    showCounts();
    const next = goToNext();
    const text = fillIn(words.judged, { name: card.name, word: words[word] });
    showToast(next || cards.some(isTodo) ? text : words.done);
  }

  function undoJudgement() {
    const last = undo.pop();
    if (!last) return;
    const [card, before] = last;
    setJudgement(card.id, before);
    storeProgress();
    showCounts();
    if (card.element.hidden) chooseFilter("all");
    select(card);
    showToast(fillIn(words.undone, { name: card.name }));
  }

  const countColumns = () => getComputedStyle(findElement("cards")).gridTemplateColumns.split(" ").length;
  const actions = { right: () => judge("right"), wrong: () => judge("wrong"), skip: () => goToNext() || moveSelection(1), undo: undoJudgement };

  // --- saving and opening

  function saveReview() {
    const judged = {};
    const figures = { right: 0, wrong: 0 };
    for (const id of [...byId.keys()].sort()) {
      const entry = judgements.get(id);
      if (!entry) continue;
      judged[id] = entry.judgement;
      figures[entry.judgement] += 1;
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
    isUnsaved = false;
    findElement("saved").hidden = false;
    findElement("toast").classList.remove("shown");
  }

  async function openReview(file) {
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
      setJudgement(id, { judgement: word, when: Date.now() });
      opened += 1;
    }
    storeProgress();
    showCounts();
    showCards();
    showToast(opened === 1 ? words.opened_one : fillIn(words.opened, { n: opened }));
  }

  // --- events

  const measureTop = () => {
    document.documentElement.style.setProperty("--top", `${document.querySelector(".top").offsetHeight}px`);
  };
  new ResizeObserver(measureTop).observe(document.querySelector(".top"));
  measureTop();

  let searchTimer = 0;
  findElement("search").addEventListener("input", () => {
    clearTimeout(searchTimer);
    searchTimer = setTimeout(showCards, 80);
  });
  findElement("filters").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) chooseFilter(button.dataset.filter);
  });
  findElement("cards").addEventListener("click", (event) => {
    const card = byElement.get(event.target.closest(".card"));
    if (!card) return;
    select(card, false);
  });

  document.addEventListener("keydown", (event) => {
    // the place of the key, not its letter: a Chinese input method swallows letters
    const key = event.code || event.key;
    if ((event.ctrlKey || event.metaKey) && key === "KeyS") {
      if (isJudging) {
        event.preventDefault();
        saveReview();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === findElement("search");
    if (key === "Escape") {
      if (typing && findElement("search").value) {
        findElement("search").value = "";
        showCards();
      }
      findElement("search").blur();
      if (isJudging) findElement("saved").hidden = true;
      return;
    }
    if (typing) {
      if (key === "Enter" || key === "NumpadEnter") {
        showCards();
        findElement("search").blur();
        select(current);
      }
      return;
    }
    if (event.target.closest("button, input, label") && (key === "Space" || key === "Enter")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -countColumns(), ArrowDown: countColumns() }[key];
    const act = {
      Digit1: "right", Numpad1: "right", Digit2: "wrong", Numpad2: "wrong", Digit3: "skip", Numpad3: "skip", Space: "skip",
      KeyZ: "undo", Backspace: "undo",
    }[key];
    if (steps) {
      moveSelection(steps);
    } else if (act && (isJudging || act === "skip")) {
      if (!event.repeat) actions[act](); // a key that is held down judges one card, not a hundred
    } else if (key === "Slash") {
      findElement("search").focus();
      findElement("search").select();
    } else {
      return;
    }
    event.preventDefault();
  });

  if (isJudging) {
    findElement("save").addEventListener("click", saveReview);
    findElement("close").addEventListener("click", () => { findElement("saved").hidden = true; });
    findElement("open").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) openReview(file);
      event.target.value = "";
    });
    document.querySelector(".keys").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) actions[button.dataset.key]();
    });
    addEventListener("beforeunload", (event) => {
      if (isUnsaved && !isStored) event.preventDefault();
    });
    loadProgress();
    filter = "todo";
    if (!cards.some(isTodo)) filter = "all";
  }
  showCounts();
  showCards();
})();
