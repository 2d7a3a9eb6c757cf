// Sends one sheet and shows what it would enter.
(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  const preview = document.getElementById("preview");
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-Change-Token"];

  function say(text) {
    const line = document.createElement("p");
    line.className = "banner ready";
    line.textContent = text;
    preview.replaceChildren(line);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [file] = document.getElementById("sheet").files;
    if (!file) return;
    say(form.dataset.looking);
    try {
      const answer = await fetch("/adopt/file", {
        method: "POST",
        headers: {
          "Content-Type": "application/octet-stream", "X-Change-Token": token, "X-File-Name": encodeURIComponent(file.name),
          "HX-Request": "true",
        },
        body: file,
      });
      preview.innerHTML = await answer.text(); // of the page itself, every value in it escaped
    } catch {
      say(form.dataset.failed);
    }
  });
})();
