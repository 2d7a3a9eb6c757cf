"use strict";
// copy buttons beside commands and codes

function makeCopyButton(text, hasWord) {
  const button = document.createElement("button"), svg = "http://www.w3.org/2000/svg";
  button.type = "button";
  button.className = "copy";
  button.setAttribute("aria-label", `${document.body.dataset.copy} ${text}`);
  const icon = button.appendChild(document.createElementNS(svg, "svg"));
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  icon.appendChild(document.createElementNS(svg, "path")).setAttribute("d", "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3");
  const word = button.appendChild(document.createElement("span"));
  word.setAttribute("aria-live", "polite");
  word.textContent = hasWord ? document.body.dataset.copy : "";
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    if (!await copyText(text)) {
      getSelection().selectAllChildren(button.previousElementSibling); // to be copied by hand
      return;
    }
    button.classList.add("done");
    word.textContent = document.body.dataset.copied;
    button.focus({ preventScroll: true });
    setTimeout(() => {
      button.classList.remove("done");
      word.textContent = hasWord ? document.body.dataset.copy : "";
    }, 1600);
  });
  return button;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // no clipboard for pages from a disk, or no permission
  }
  const area = document.body.appendChild(document.createElement("textarea"));
  area.className = "offscreen";
  area.readOnly = true;
  area.value = text;
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}

for (const holder of document.querySelectorAll(".copyable")) {
  holder.appendChild(makeCopyButton(holder.textContent.trim(), holder.tagName === "DIV"));
}

(function () {
  const CHUNK = 100; // rows drawn at a time
  const COPIED = ["sealId", "request", "trace"]; // of a row: to be searched for elsewhere
  const source = document.getElementById("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const rows = data.rows;
  const body = document.querySelector("#rows tbody");
  const more = document.getElementById("more"), shown = document.getElementById("shown");
  const search = document.getElementById("search"), clear = document.getElementById("clear");
  const code = document.getElementById("code"), department = document.getElementById("department");
  const chips = Array.from(document.querySelectorAll("#chips button"));
  const pressedChip = chips.find(function (chip) { return chip.getAttribute("aria-pressed") === "true"; });
  let status = pressedChip.dataset.status, matching = rows, drawn = 0;

  function fillIn(pattern, values) {
    return pattern.replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }
  function makeElement(name, kind, text) {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function describePlace(row, short) {
    const values = { file: short && data.oneFile ? "" : row.file, sheet: row.sheet, row: row.row };
    return fillIn(data.words.place, values).replace(/\s+/g, " ").trim();
  }
  function joinSearchText(row) {
    return [row.name, row.staff, row.number.slice(-4), row.sealName, row.sealId, row.request, row.trace, row.picture,
      row.department, describePlace(row), row.reasons.join(" ")].join("\n").toLowerCase();
  }

  function makeLine(row) {
    const line = makeElement("tr");
    line.appendChild(makeElement("td", "state")).appendChild(makeElement("span", "chip " + row.status, data.statuses[row.status]));
    line.appendChild(makeElement("td", "name", row.name));
    const reasons = line.appendChild(makeElement("td", "why"));
    row.reasons.forEach(function (reason) { reasons.appendChild(makeElement("div", "", reason)); });
    line.appendChild(makeElement("td", "small", row.department));
    line.appendChild(makeElement("td", "small staff", row.staff));
    line.appendChild(makeElement("td", "small", describePlace(row, true)));
    const button = line.appendChild(makeElement("td", "open")).appendChild(makeElement("button", "", "\u203a"));
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", row.name);
    line.addEventListener("click", function (event) {
      // the whole row opens; marking a text does not close it again
      if (event.target !== button && String(getSelection())) return;
      toggleDetails(line, row, button);
    });
    return line;
  }
  // the list below holds the pictures that were not used, and a row their places in it
  function copyPictures(places) {
    const listed = document.querySelectorAll("#unused li");
    const copies = makeElement("ul", "pictures");
    places.forEach(function (place) { copies.appendChild(listed[place].cloneNode(true)); });
    return copies;
  }
  function toggleDetails(line, row, button) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    line.classList.toggle("opened", !open);
    if (open) { line.nextSibling.remove(); return; }
    const list = makeElement("dl", "all");
    Object.keys(data.labels).forEach(function (name) {
      const value = name === "where" ? describePlace(row) : row[name];
      if (!value) return;
      const pair = list.appendChild(makeElement("div"));
      pair.appendChild(makeElement("dt", "", data.labels[name]));
      const isCopied = COPIED.indexOf(name) >= 0;
      const holder = pair.appendChild(makeElement("dd")).appendChild(makeElement("span", isCopied ? "copyable" : ""));
      holder.appendChild(makeElement("span", "", value));
      if (isCopied) holder.appendChild(makeCopyButton(value, false));
    });
    const extra = makeElement("tr", "more-of"), cell = extra.appendChild(makeElement("td"));
    cell.colSpan = 7;
    cell.appendChild(list);
    if (row.unused.length) cell.appendChild(copyPictures(row.unused));
    line.after(extra);
  }

  function drawMore() {
    const part = document.createDocumentFragment();
    matching.slice(drawn, drawn + CHUNK).forEach(function (row) { part.appendChild(makeLine(row)); });
    body.appendChild(part);
    drawn = Math.min(matching.length, drawn + CHUNK);
    more.hidden = drawn >= matching.length;
    more.textContent = fillIn(data.words.more, { n: Math.min(CHUNK, matching.length - drawn) });
  }
  function applyFilter() {
    const wanted = search.value.trim().toLowerCase();
    const about = code ? code.value : "", where = department ? department.value : "";
    matching = rows.filter(function (row) {
      if (status === "todo" ? !row.todo : status && row.status !== status) return false;
      if (about && row.codes.indexOf(about) < 0) return false;
      if (where && row.department !== where) return false;
      return !wanted || joinSearchText(row).indexOf(wanted) >= 0;
    });
    body.textContent = "";
    drawn = 0;
    drawMore();
    shown.textContent = matching.length ? fillIn(data.words.shown, { shown: matching.length.toLocaleString("en"), total: rows.length.toLocaleString("en") }) : data.words.none;
    clear.hidden = !(wanted || status || about || where);
  }

  function chooseStatus(wanted) {
    status = wanted;
    chips.forEach(function (chip) { chip.setAttribute("aria-pressed", String(chip.dataset.status === wanted)); });
    applyFilter();
  }
  chips.forEach(function (chip) { chip.addEventListener("click", function () { chooseStatus(chip.dataset.status); }); });
  let searchTimer = 0;
  search.addEventListener("input", function () { clearTimeout(searchTimer); searchTimer = setTimeout(applyFilter, 120); });
  [code, department].forEach(function (list) { if (list) list.addEventListener("change", applyFilter); });
  clear.addEventListener("click", function () {
    search.value = "";
    if (code) code.value = "";
    if (department) department.value = "";
    chooseStatus("");
  });
  // a total leads to its rows: the link goes to the table, which shows these alone
  document.querySelectorAll("a[data-code], a[data-status]").forEach(function (link) {
    link.addEventListener("click", function () {
      search.value = "";
      if (department) department.value = "";
      if (code) code.value = link.dataset.code || "";
      chooseStatus(link.dataset.status || "");
    });
  });
  more.addEventListener("click", drawMore);
  if ("IntersectionObserver" in window) {
    new IntersectionObserver(function (seen) {
      if (seen[0].isIntersecting && !more.hidden) drawMore();
    }, { rootMargin: "600px" }).observe(more);
  }
  applyFilter();
})();
