// Sends files that are dropped, chosen or pasted, one request each, at most three at a time.
(() => {
  "use strict";
  const zone = document.getElementById("zone");
  if (!zone) return;
  const texts = zone.dataset, limits = JSON.parse(texts.limits);
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-Change-Token"];
  const bar = document.getElementById("sent"), line = document.getElementById("sending");
  const list = document.getElementById("dropped");
  const waiting = [], TRIES = 3;
  let total = 0, done = 0, active = 0, cut = 0, counts = {};

  const fill = (text, values) => text.replace(/%(\w+)/g, (whole, name) => values[name] ?? whole);

  function show() {
    bar.hidden = line.hidden = false;
    bar.max = total || 1;
    bar.value = done;
    const all = { n: done, total, stored: 0, same: 0, waiting: 0, refused: 0, ...counts };
    const isCut = cut || !navigator.onLine;
    line.textContent = fill(done === total ? texts.done : isCut ? texts.cut : texts.sending, all);
  }

  function report(name, text) {
    const entry = document.createElement("li"), title = document.createElement("strong");
    title.textContent = name.replace(/\d{15,}[\dXx]?/g, (number) => "*".repeat(number.length - 4) + number.slice(-4));
    entry.append(title, " ", text);
    list.append(entry);
    list.hidden = false;
  }

  function count(outcome, n) {
    counts[outcome] = (counts[outcome] || 0) + n;
  }

  async function send({ file, path }) {
    const end = Object.keys(limits).find((suffix) => suffix && path.toLowerCase().endsWith(suffix)) ?? "";
    const [most, tooLarge] = limits[end];
    if (file.size > most) {
      return { outcome: "refused", text: fill(tooLarge, { size: `${(file.size / 1e6).toFixed(1)} MB` }) };
    }
    const answer = await fetch("/drop/file", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Change-Token": token, "X-File-Name": encodeURIComponent(path) },
      body: file,
    });
    if (answer.status === 401 || answer.status === 403) return { outcome: "refused", text: texts.session };
    if (!answer.ok) return { outcome: "refused", text: texts.failed };
    return answer.json();
  }

  // after a while, or as soon as there is a network, until the program can be reached
  async function awaitProgram() {
    for (;;) {
      await new Promise((resolve) => {
        setTimeout(resolve, 2000);
        addEventListener("online", resolve, { once: true });
      });
      try {
        await fetch("/static/icon.svg", { cache: "no-store" });
        return;
      } catch { /* not yet */ }
    }
  }

  // what was cut is sent again; what is cut each time although the program can be reached did not arrive
  async function deliver(one) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send(one);
      } catch (error) {
        if (tries === TRIES) throw error;
      }
      cut += 1;
      show();
      await awaitProgram();
      cut -= 1;
      show();
    }
  }

  async function next() {
    if (!waiting.length || active >= 3) return;
    const one = waiting.shift();
    active += 1;
    next();
    let result;
    try {
      result = await deliver(one);
    } catch {
      result = { outcome: "refused", text: texts.failed };
    }
    active -= 1;
    done += 1;
    if (result.outcome === "unpacked") {
      for (const [outcome, n] of Object.entries(result.counts)) count(outcome, n);
      for (const file of [...result.refused, ...result.notes]) report(file.name, file.text);
      count("refused", result.refused.length);
    } else {
      count(result.outcome, 1);
      if (result.outcome === "refused") report(one.path, result.text);
      if (result.note) report(one.path, result.note);
      if (result.is_renamed) report(one.path, fill(texts.renamed, { name: result.name }));
    }
    show();
    if (waiting.length) next();
    else if (!active) htmx.trigger(document.body, "dropped");
  }

  function take(files) {
    if (done === total) {
      total = done = 0;
      counts = {};
      list.replaceChildren();
      list.hidden = true;
    }
    total += files.length;
    waiting.push(...files);
    if (files.length) show();
    else {
      line.hidden = false;
      line.textContent = texts.empty;
    }
    next();
  }

  const readEntry = (entry) => new Promise((resolve, reject) => {
    if (entry.isFile) entry.file((file) => resolve([{ file, path: entry.fullPath.slice(1) }]), reject);
    else {
      const reader = entry.createReader(), all = [];
      const more = () => reader.readEntries((entries) => {
        if (entries.length) {
          all.push(...entries);
          more();
        } else Promise.all(all.map(readEntry)).then((lists) => resolve(lists.flat()), reject);
      }, reject);
      more();
    }
  });

  const listInput = (files) => [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

  async function takeTransfer(transfer) {
    // the entries are gone once this event is over
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    if (!entries.length) return take(listInput(transfer.files));
    try {
      take((await Promise.all(entries.map(readEntry))).flat());
    } catch {
      report("", texts.failed);
    }
  }

  for (const [button, input] of [["choose-files", "files"], ["choose-folder", "folder"]]) {
    const chooser = document.getElementById(input);
    document.getElementById(button).addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      take(listInput(chooser.files));
      chooser.value = "";
    });
  }
  const over = (event) => {
    event.preventDefault();
    zone.classList.toggle("over", event.type === "dragover");
  };
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", over);
  document.addEventListener("drop", (event) => {
    over(event);
    takeTransfer(event.dataTransfer);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) takeTransfer(event.clipboardData);
  });

  for (const name of ["offline", "online"]) addEventListener(name, () => { if (done < total) show(); });

  // what is open stays open when the page is refreshed while a check runs
  const listRemovals = () => Array.from(document.querySelectorAll("#drop-now details.remove"));
  const readFile = (removal) => removal.querySelector('[name="file"]').value;
  let open = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    const isRefresh = event.detail.target.id === "drop-now" && event.detail.requestConfig.verb === "get";
    open = isRefresh ? listRemovals().filter((removal) => removal.open).map(readFile) : [];
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const removal of listRemovals()) if (open.includes(readFile(removal))) removal.open = true;
    open = [];
  });
})();
