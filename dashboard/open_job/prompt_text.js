// Shows a text as nothing but text. Each mark stands for one invisible character, by its number.

// Megabytes laid out at once stop a browser: of a long text only the pieces that are seen are.
const LONGEST = 5000;

function cut(text) {
  const pieces = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + LONGEST, text.length);
    if (end < text.length) {
      const line = text.slice(start, end).lastIndexOf("\n") + 1;
      if (line > 0) end = start + line;
      else if (/[\uD800-\uDBFF]/.test(text[end - 1])) end -= 1;
    }
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

function show(piece, marked) {
  const block = document.createElement("div");
  if (marked.size === 0) {
    block.textContent = piece;
    return block;
  }
  let plain = "";
  for (const character of piece) {
    if (!marked.has(character)) {
      plain += character;
      continue;
    }
    const mark = document.createElement("mark");
    mark.textContent = "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    block.append(plain, mark);
    plain = "";
  }
  block.append(plain);
  return block;
}

export default function ({ data, parentElement }) {
  const box = parentElement.querySelector("#text"), copy = parentElement.querySelector("#copy");
  parentElement.querySelector("#label").textContent = data.label;
  box.setAttribute("aria-label", data.label);
  box.classList.toggle("brief", data.brief);
  const marked = new Set(data.marked);
  box.replaceChildren(...cut(data.text).map((piece) => show(piece, marked)));
  const say = (word) => {
    copy.textContent = word;
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  };
  copy.setAttribute("aria-label", `Copy ${data.label}`);
  copy.onclick = () => navigator.clipboard.writeText(data.text).then(() => say("Copied"), () => say("Not allowed"));
}
