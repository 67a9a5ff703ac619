// Lets keys press buttons, and tells Python that somebody asked for the list of keys with ?.
//
// Streamlit's own shortcuts repeat while a key is held, are deaf after a switch was used, and know Latin letters only:
// so each key is heard before they are. What is typed into a field of text is left alone.

const TYPED = "textarea, select, [contenteditable=true]";
const NOT_TYPED = ["checkbox", "radio", "range", "button", "submit", "reset", "file", "color"];

// Milliseconds within which the same key is the same press.
const TWICE = 100;

let forget = () => {};
let last = { key: "", at: 0 };

function isTyped(at) {
  if (!(at instanceof Element)) return false;
  return at.isContentEditable || at.matches(TYPED) || (at.matches("input") && !NOT_TYPED.includes(at.type));
}

// By letter; where the layout has none there, by place.
function nameKey(event) {
  if (event.key.length !== 1) return event.key.toLowerCase();
  if (event.key.charCodeAt(0) < 128) return event.key.toLowerCase();
  const place = /^Key([A-Z])$/.exec(event.code);
  return place ? place[1].toLowerCase() : event.key;
}

function findButton(starts) {
  for (const start of starts) {
    for (const button of document.querySelectorAll(`[class*="st-key-${start}"] button`)) {
      if (!button.disabled && button.offsetParent !== null) return button;
    }
  }
  return null;
}

export default function ({ data, setTriggerValue }) {
  forget();
  const hear = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.composedPath()[0], key = nameKey(event);
    const stop = () => {
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    if (isTyped(at)) {
      if (key === "escape" && at.matches("textarea")) {
        stop();
        at.blur();
      }
      return;
    }
    // A button that has the focus is pressed once, however long its key is held.
    if (event.repeat && ["enter", " "].includes(key) && at.closest("button")) return stop();
    if (document.querySelector("[aria-modal=true]") || at.closest("[role=dialog], [role=listbox]")) return;
    if (key === "?") {
      stop();
      if (!event.repeat) setTriggerValue("asked", true);
    } else if (Object.hasOwn(data, key)) {
      const button = findButton(data[key]);
      if (button === null && key === "escape") return;
      stop();
      const now = performance.now(), again = event.repeat || (last.key === key && now - last.at < TWICE);
      last = { key, at: now };
      if (!again) button?.click();
    }
  };
  // The second click of a double click gives no second verdict.
  const once = (event) => {
    if (event.detail > 1 && event.target.closest("[class*=st-key-verdict_], [class*=st-key-take_back_], [class*=st-key-skip_]")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };
  window.addEventListener("keydown", hear, true);
  window.addEventListener("click", once, true);
  forget = () => {
    window.removeEventListener("keydown", hear, true);
    window.removeEventListener("click", once, true);
  };
  return forget;
}
