// A picture that is dragged onto a doctor is given to that doctor, as by the form below it.
"use strict";

let dragged = null;

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest ? event.target.closest(".unmatched > li") : null;
  if (dragged) event.dataTransfer.setData("text/plain", dragged.id);
});

const getDoctor = (event) => (dragged ? event.target.closest("[data-doctor]") : null);

document.addEventListener("dragover", (event) => {
  if (getDoctor(event)) event.preventDefault();
});

for (const [name, isOver] of [["dragenter", true], ["dragleave", false]]) {
  document.addEventListener(name, (event) => {
    const doctor = getDoctor(event);
    if (doctor) doctor.classList.toggle("over", isOver);
  });
}

document.addEventListener("drop", (event) => {
  const doctor = getDoctor(event);
  if (!doctor) return;
  event.preventDefault();
  doctor.classList.remove("over");
  const form = dragged.querySelector("form");
  form.elements.row.value = doctor.dataset.doctor;
  form.requestSubmit();
  dragged = null;
});
