// Says a sentence to who listens to the page. It is put there a moment after its place: what is there at once is not said.

const MOMENT = 100;

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector("p");
  place.className = data.shown ? "shown" : "";
  if (place.dataset.number === String(data.number)) return;
  place.dataset.number = data.number;
  place.textContent = "";
  setTimeout(() => (place.textContent = data.text), MOMENT);
}
