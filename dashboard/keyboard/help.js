// Tells Python that somebody pressed ?, unless they were typing.

let forget = () => {};

export default function ({ setTriggerValue }) {
  forget();
  const hear = (event) => {
    const at = event.composedPath()[0];
    const types = at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName);
    if (event.key === "?" && !types && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      setTriggerValue("asked", true);
    }
  };
  document.addEventListener("keydown", hear);
  forget = () => document.removeEventListener("keydown", hear);
  return forget;
}
