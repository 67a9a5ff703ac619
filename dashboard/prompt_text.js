// Shows a text as nothing but text. Each mark stands for one invisible character, by its number.

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector("#text"), copy = parentElement.querySelector("#copy");
  box.setAttribute("aria-label", data.label);
  box.replaceChildren();
  if (data.marked.length === 0) {
    box.textContent = data.text;
  } else {
    const marked = new Set(data.marked);
    let plain = "";
    for (const character of data.text) {
      if (!marked.has(character)) {
        plain += character;
        continue;
      }
      const mark = document.createElement("mark");
      mark.textContent = "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      box.append(plain, mark);
      plain = "";
    }
    box.append(plain);
  }
  const say = (word) => {
    copy.textContent = word;
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  };
  copy.setAttribute("aria-label", `Copy ${data.label}`);
  copy.onclick = () => navigator.clipboard.writeText(data.text).then(() => say("Copied"), () => say("Not allowed"));
}
