// Tells Python of a note while it is typed: Streamlit hears of it when the field is left, which a session that ends
// does not wait for.

const PAUSE = 1000;

let forget = () => {};
let waiting = { job: null, timer: null };

export default function ({ data, setTriggerValue }) {
  forget();
  // What was being typed about another job was kept, or recorded with its verdict.
  if (waiting.job !== data.job) clearTimeout(waiting.timer);
  const hear = (event) => {
    const field = event.composedPath()[0];
    if (field.tagName !== "TEXTAREA" || field.getAttribute("aria-label") !== "Note") return;
    clearTimeout(waiting.timer);
    const timer = setTimeout(() => setTriggerValue("typed", { job: data.job, note: field.value }), PAUSE);
    waiting = { job: data.job, timer };
  };
  document.addEventListener("input", hear);
  forget = () => document.removeEventListener("input", hear);
  return forget;
}
