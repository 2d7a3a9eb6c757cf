"use strict";
(function () {
  // a row's places, as report_page.py lists them
  const STATUS = 0, NAME = 1, REASONS = 2, CODES = 3, NUMBER = 4, STAFF = 5, DEPARTMENT = 6, SEAL_NAME = 7, SEAL_ID = 8,
    TIME = 9, ATTEMPTS = 10, REQUEST = 11, TRACE = 12, FILE = 13, SHEET = 14, ROW = 15, PICTURE = 16, MOBILE = 17,
    TOOK = 18, TODO = 19;
  const CHUNK = 100; // rows drawn at a time
  const source = document.getElementById("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const rows = data.rows, texts = data.texts;
  const body = document.querySelector("#rows tbody");
  const more = document.getElementById("more"), shown = document.getElementById("shown");
  const search = document.getElementById("search"), clear = document.getElementById("clear");
  const code = document.getElementById("code"), department = document.getElementById("department");
  const chips = Array.from(document.querySelectorAll("#chips button"));
  const pressed = chips.find(function (chip) { return chip.getAttribute("aria-pressed") === "true"; });
  let status = pressed.dataset.status, matching = rows, drawn = 0;

  function fill(pattern, values) {
    return pattern.replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }
  function element(name, kind, text) {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function describePlace(row, short) {
    const values = { file: short && data.oneFile ? "" : texts[row[FILE]], sheet: texts[row[SHEET]], row: row[ROW] };
    return fill(data.words.place, values).replace(/\s+/g, " ").trim();
  }
  function haystack(row) {
    return [row[NAME], row[STAFF], row[NUMBER].slice(-4), row[SEAL_NAME], row[SEAL_ID], row[REQUEST], row[TRACE], row[PICTURE],
      texts[row[DEPARTMENT]], describePlace(row), row[REASONS].join(" ")].join("\n").toLowerCase();
  }

  function draw(row) {
    const line = element("tr");
    line.appendChild(element("td", "state")).appendChild(element("span", "chip " + row[STATUS], data.statuses[row[STATUS]]));
    line.appendChild(element("td", "name", row[NAME]));
    const why = line.appendChild(element("td", "why"));
    row[REASONS].forEach(function (reason) { why.appendChild(element("div", "", reason)); });
    line.appendChild(element("td", "small", texts[row[DEPARTMENT]]));
    line.appendChild(element("td", "small staff", row[STAFF]));
    line.appendChild(element("td", "small", describePlace(row, true)));
    const button = line.appendChild(element("td", "open")).appendChild(element("button", "", "\u203a"));
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", row[NAME]);
    button.addEventListener("click", function () { toggle(line, row, button); });
    return line;
  }
  function toggle(line, row, button) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    line.classList.toggle("opened", !open);
    if (open) { line.nextSibling.remove(); return; }
    const values = {
      number: row[NUMBER], mobile: row[MOBILE], sealName: row[SEAL_NAME], sealId: row[SEAL_ID], time: row[TIME],
      attempts: row[ATTEMPTS] ? String(row[ATTEMPTS]) : "", took: row[TOOK], request: row[REQUEST], trace: row[TRACE],
      picture: row[PICTURE], where: describePlace(row)
    };
    const list = element("dl", "all");
    Object.keys(data.labels).forEach(function (name) {
      if (!values[name]) return;
      const pair = list.appendChild(element("div"));
      pair.appendChild(element("dt", "", data.labels[name]));
      pair.appendChild(element("dd", "", values[name]));
    });
    const extra = element("tr", "more-of"), cell = extra.appendChild(element("td"));
    cell.colSpan = 7;
    cell.appendChild(list);
    line.after(extra);
  }

  function next() {
    const part = document.createDocumentFragment();
    matching.slice(drawn, drawn + CHUNK).forEach(function (row) { part.appendChild(draw(row)); });
    body.appendChild(part);
    drawn = Math.min(matching.length, drawn + CHUNK);
    more.hidden = drawn >= matching.length;
    more.textContent = fill(data.words.more, { n: Math.min(CHUNK, matching.length - drawn) });
  }
  function filter() {
    const wanted = search.value.trim().toLowerCase();
    const about = code && code.value !== "" ? Number(code.value) : -1;
    const where = department && department.value !== "" ? Number(department.value) : -1;
    matching = rows.filter(function (row) {
      if (status === "todo" ? !row[TODO] : status && row[STATUS] !== status) return false;
      if (about >= 0 && row[CODES].indexOf(about) < 0) return false;
      if (where >= 0 && row[DEPARTMENT] !== where) return false;
      return !wanted || haystack(row).indexOf(wanted) >= 0;
    });
    body.textContent = "";
    drawn = 0;
    next();
    shown.textContent = matching.length ? fill(data.words.shown, { shown: matching.length.toLocaleString("en"), total: rows.length.toLocaleString("en") }) : data.words.none;
    clear.hidden = !(wanted || status || about >= 0 || where >= 0);
  }

  function choose(wanted) {
    status = wanted;
    chips.forEach(function (chip) { chip.setAttribute("aria-pressed", String(chip.dataset.status === wanted)); });
    filter();
  }
  chips.forEach(function (chip) { chip.addEventListener("click", function () { choose(chip.dataset.status); }); });
  let waiting = 0;
  search.addEventListener("input", function () { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  [code, department].forEach(function (list) { if (list) list.addEventListener("change", filter); });
  clear.addEventListener("click", function () {
    search.value = "";
    if (code) code.value = "";
    if (department) department.value = "";
    choose("");
  });
  more.addEventListener("click", next);
  if ("IntersectionObserver" in window) {
    new IntersectionObserver(function (seen) {
      if (seen[0].isIntersecting && !more.hidden) next();
    }, { rootMargin: "600px" }).observe(more);
  }
  filter();
})();
