// Says a sentence to who listens to the page, when it becomes another one.

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector("p");
  if (place.textContent !== data.text) place.textContent = data.text;
}
