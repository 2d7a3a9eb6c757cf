"use strict";
// copy buttons beside commands and codes; top-level names are seen by the page's own script, which follows

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
