// Tells Python of a note while it is typed: Streamlit hears of it when the field is left, which a session that ends
// does not wait for.

const PAUSE = 1000;

// Milliseconds after which what was typed has arrived, or the connection is known to be lost.
const DOUBTED = 60_000;

const FIELD = "textarea[aria-label=Note]", APP = "[data-testid=stApp]", CONNECTION = "data-test-connection-state";

let forget = () => {};
let written = { job: null, text: "", at: 0, timer: null };

function isConnected() {
  return document.querySelector(APP)?.getAttribute(CONNECTION) === "CONNECTED";
}

function isStill() {
  return isConnected() && document.querySelector(APP).dataset.testScriptState === "notRunning";
}

// As if it was typed once more: the one way by which React hears of it.
function type(field, text) {
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, text);
  field.dispatchEvent(new InputEvent("input", { bubbles: true, composed: true }));
}

export default function ({ data, setTriggerValue }) {
  forget();
  // What was being typed about another job was kept, or recorded with its verdict.
  if (written.job !== data.job) {
    clearTimeout(written.timer);
    written = { job: data.job, text: "", at: -DOUBTED, timer: null };
  }
  // What is said without a connection is heard by nobody.
  const tell = () => {
    if (isConnected()) setTriggerValue("typed", { job: data.job, note: written.text });
    else written.timer = setTimeout(tell, PAUSE);
  };
  const hear = (event) => {
    const field = event.composedPath()[0];
    if (!field.matches(FIELD)) return;
    clearTimeout(written.timer);
    written = { job: data.job, text: field.value, at: performance.now(), timer: setTimeout(tell, PAUSE) };
  };
  // A connection that was lost may have taken with it what was said last; and a server that began anew knows less.
  const say_again = () => {
    const field = document.querySelector(FIELD);
    if (field === null || written.job !== data.job) return;
    if (!isStill()) written.timer = setTimeout(say_again, PAUSE);
    else if (field.value !== written.text) type(field, written.text);
    else tell();
  };
  const losses = new MutationObserver(() => {
    if (isConnected() || performance.now() - written.at > DOUBTED) return;
    clearTimeout(written.timer);
    written.timer = setTimeout(say_again, PAUSE);
  });
  losses.observe(document.querySelector(APP), { attributeFilter: [CONNECTION] });
  document.addEventListener("input", hear);
  forget = () => {
    losses.disconnect();
    document.removeEventListener("input", hear);
  };
  return forget;
}
