// Lets keys press buttons and go to the note, rows open their jobs, and tells Python that somebody asked for the list of
// keys with ?.
//
// Streamlit's own shortcuts repeat while a key is held, are deaf after a switch was used, and know Latin letters only:
// so each key is heard before they are. What is typed into a field of text is left alone.

const TYPED = "textarea, select, [contenteditable=true]";
const NOT_TYPED = ["checkbox", "radio", "range", "button", "submit", "reset", "file", "color"];

const ONCE = ["verdict", "take_back", "skip", "back", "start", "reveal", "hide", "show_unseen", "give_unseen"]
  .map((name) => `[class*=st-key-${name}_]`)
  .join();

// Of these, what leads to another job.
const LEAVES = ["verdict", "take_back", "skip", "back", "start"].map((name) => `[class*=st-key-${name}_]`).join();

// What opens a job where none is judged.
const OPENS = ["step_older", "step_newer", "start_"];

const ASKS = "[data-testid=stDialog]";

const MAIN = "[data-testid=stMain]", JOB = ".st-key-job_body";

// What is open above the page, and is closed before anything else is.
const OPENED = "[data-testid=stPopoverButton][aria-expanded=true]";

// Milliseconds between what the hand does, however late a busy page hears of it: within which the same key is the same
// press, within which a mouse that clicks again has not seen what its click led to, and after which nobody waits for an
// answer any more.
const TWICE = 100, UNSEEN = 300, LATE = 3000;

const STATE = "data-test-script-state", CONNECTION = "data-test-connection-state";

// Milliseconds within which somebody still writes who has lost the field with the connection.
const UNHEARD = 10_000;

// Between two looks whether a dialog of Streamlit's is gone.
const GONE = 250;

// What leads into a field, or out of it.
const LEADS = ["focusin", "focusout", "pointerdown"];

// The grid of the list of jobs; pixels of its heading, and of the column with the boxes.
const GRID = ".st-key-jobs .dvn-scroller", HEADING = 35, BOXES = 36;

// What the focus can go to, but for the links to headings.
const TAKES_FOCUS =
  ":is(button, input, textarea, a[href]:not(:is(h1, h2, h3) *), [tabindex='0']):not(:disabled, [tabindex='-1'])";

let forget = () => {};
// What had the focus last outside of any dialog, all that it lies in, from the inside, and its page; and the same for the
// dialog that is open, until the focus is back. Streamlit gives it back to a button alone that is still there and not
// disabled.
let place = { path: [], page: null }, returns = null;
let last = { key: "", at: 0 }, acted = -UNSEEN;
// A step that was asked for before its button was there: it is taken once the page is, if nothing else was pressed.
let awaited = null;
// The field that somebody writes in. While the connection is lost Streamlit takes it away, and a dialog of its own the
// focus: what is typed on is text all the same, and no verdict on a job.
let written = null;
// When the connection was lost or came back last.
let changed = -UNHEARD, keeping;
// The showing of a job that was left last, until the answer is there: whatever else is pressed on it meanwhile is not
// meant for it, and would take the verdict's place where both reach the server at once.
let left = { showing: null, at: 0 };

function isTyped(at) {
  if (!(at instanceof Element)) return false;
  return at.isContentEditable || at.matches(TYPED) || (at.matches("input") && !NOT_TYPED.includes(at.type));
}

// The place of a letter, as the American layout names it.
function findPlace(event) {
  return /^Key([A-Z])$/.exec(event.code)?.[1].toLowerCase() ?? null;
}

// By letter; where the layout has none that is Latin there, by place. What AltGr makes there is not what is printed first.
function nameKey(event) {
  const isOther = event.key.length === 1 && !/[\0-\x7f]|\p{Script=Latin}/u.test(event.key);
  return (isOther && !event.getModifierState("AltGraph") && findPlace(event)) || event.key.toLowerCase();
}

function findControl(starts, within) {
  for (const [start, place] of starts) {
    const found = [...within.querySelectorAll(`[class*="st-key-${start}"] :is(button, textarea)`)].filter(
      (one) => !one.disabled && one.checkVisibility(),
    );
    if (found.length > place) return found[place];
  }
  return null;
}

function isRunning() {
  return document.querySelector(`[${STATE}]:not([${STATE}=notRunning])`) !== null;
}

function isConnected() {
  return document.querySelector(`[${CONNECTION}]`)?.getAttribute(CONNECTION) === "CONNECTED";
}

function notePlace(at) {
  if (!at.closest?.("[role=dialog]")) {
    if (!at.closest?.(MAIN)) return;
    [place, returns] = [{ path: [], page: location.pathname }, null];
    for (let one = at; !one.matches(MAIN); one = one.parentElement) place.path.push(one);
  } else if (at.closest(ASKS)) returns ??= { path: place.path, page: location.pathname };
}

// Where to go on from what is gone: on another page from its beginning, where no control was asked for; where another job
// came from its text, which the arrows scroll then; after a dialog from what opened it; and where that, or what was
// pressed, is not to be used any more from the first control of what it lies in.
function findNext({ path, page }) {
  if (page !== location.pathname) return document.querySelector(MAIN);
  const job = document.querySelector(JOB);
  if (job && (!path[0]?.isConnected || path[0] === job)) {
    job.tabIndex = -1;
    job.style.outlineOffset = "4px";
    return job;
  }
  if (returns === null && !path[0].disabled) return null;
  const near = path.filter((one) => one.isConnected).flatMap((one) => [one, ...one.querySelectorAll(TAKES_FOCUS)]);
  return near.find((one) => one.matches(TAKES_FOCUS) && one.checkVisibility());
}

// Gives the focus back, once a page is drawn, where a dialog is closed or what had the focus is gone, or disabled.
function giveBack() {
  if (isRunning() || document.querySelector(ASKS)) return;
  const [had] = place.path;
  if (returns === null && (!had || (had.isConnected && !had.disabled))) return;
  const isLost = document.activeElement === document.body && !written?.isConnected;
  const next = isLost ? findNext(returns ?? place) : null;
  // Where there is nothing yet, the address of another page may be on its way: what the page held is gone before it comes.
  if (returns === null && (next || !isLost)) place = { path: [], page: null };
  returns = null;
  next?.focus({ preventScroll: true });
}

// Who moves on leaves the field; without a connection it is Streamlit that takes the focus.
function noteWritten(event) {
  const at = event.composedPath()[0];
  if (event.type !== "focusout") notePlace(at);
  if (event.type === "focusin" && isTyped(at)) written = at;
  else if (event.type === "focusout" && at === written && isConnected()) written = null;
  else if (event.type === "pointerdown" && at !== written && !at.closest?.("[role=dialog]")) written = null;
}

// Lets somebody write on while the connection is lost, and when it is back: what is in the field is sent then.
function keepWritten() {
  if (!written?.isConnected) return;
  if (!isConnected()) written.disabled = false;
  const covered = [...document.querySelectorAll("[role=dialog]")].some((one) => !one.contains(written));
  clearTimeout(keeping);
  if (covered) keeping = setTimeout(keepWritten, GONE);
  else if (document.activeElement !== written) written.focus();
}

// Whether a key that reached no field is text: the connection took the field's focus, or its return the field.
function isWriting(key, now) {
  if (written === null) return false;
  const isLost = now - changed < UNHEARD;
  if (written.isConnected) keepWritten();
  if (key === "escape" || (document.activeElement !== written && !isLost)) written = null;
  return written !== null;
}

// Of which job a button is, and of which showing of it.
function findShowing(control) {
  return /_((?:[0-9a-f-]{36}|none)_[0-9a-f]{8})(?:\s|$)/.exec(control.className)?.[1] ?? null;
}

// Steps, job and verdicts are drawn one after the other: for a moment those of one stand beside the text of another.
function isOfOtherJob(control) {
  const showing = findShowing(control);
  if (!control.matches(LEAVES) || showing === null || showing.startsWith("none")) return false;
  const shown = document.querySelector(".st-key-open_job_id code")?.textContent;
  if (shown) return !showing.startsWith(shown);
  // A job that does not exist is passed over, once that is said.
  return control.matches("[class*=st-key-verdict_]") || isRunning();
}

// Only what opens a job: nothing that leaves one is done to a job which was not on screen when the key was pressed.
function takeAwaited() {
  if (awaited === null || performance.now() - awaited.at > LATE) return;
  const control = isRunning() || document.querySelector(ASKS) ? null : findControl(awaited.starts, document);
  if (control === null) return requestAnimationFrame(takeAwaited);
  awaited = null;
  use(control);
}

// A row opens its job wherever it is clicked: Streamlit hears of its box alone, so that one is pressed. The second click
// of a double click would close it again.
function openRow(event) {
  const canvas = event.target.closest?.(GRID)?.parentElement.querySelector("canvas");
  if (!canvas || !event.isTrusted || event.detail !== 1) return;
  const { left, top } = canvas.getBoundingClientRect();
  if (event.clientX < left + BOXES || event.clientY < top + HEADING) return;
  const place = { bubbles: true, composed: true, clientX: left + BOXES / 2, clientY: event.clientY, detail: 1 };
  setTimeout(() => {
    for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
      event.target.dispatchEvent(new (type.startsWith("pointer") ? PointerEvent : MouseEvent)(type, place));
  });
}

function use(control) {
  if (!control?.matches("textarea")) return control?.click();
  control.focus();
  control.setSelectionRange(control.value.length, control.value.length);
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
      // Where a word is being put together, Esc gives that up alone.
      if (key === "escape" && at.matches("textarea") && !event.isComposing) {
        stop();
        at.blur();
        written = null;
      }
      return;
    }
    // No letter does anything to what lies behind: Streamlit's own shortcuts would.
    const keepAbove = () => {
      if (key.length === 1 && key !== " ") event.stopImmediatePropagation();
    };
    if (written !== null && at.closest("[role=dialog]")) return keepAbove();
    if (isWriting(key, event.timeStamp)) {
      if (document.activeElement !== written) stop();
      return;
    }
    // A button that has the focus is pressed once, however long its key is held.
    if (event.repeat && ["enter", " "].includes(key) && at.closest("button")) return stop();
    // What asks something is answered first: no key reaches what lies behind it.
    const asks = document.querySelector(ASKS);
    if (!asks && at.closest("[role=dialog], [role=listbox]")) return keepAbove();
    if (key === "?" && !asks) {
      stop();
      if (!event.repeat) setTriggerValue("asked", true);
    } else if (key === "escape" && document.querySelector(OPENED)) {
      stop();
      document.querySelector(OPENED).click();
    } else if (Object.hasOwn(data, key)) {
      const control = findControl(data[key], asks ?? document);
      if (control === null && key === "escape") return;
      stop();
      const now = event.timeStamp, again = event.repeat || (last.key === key && now - last.at < TWICE);
      last = { key, at: now };
      if (again) return;
      awaited = null;
      if (control !== null) return use(control);
      const starts = data[key].filter(([start]) => OPENS.includes(start));
      if (asks || !isRunning() || starts.length === 0) return;
      awaited = { starts, at: now };
      takeAwaited();
    } else if (findPlace(event) !== null && !/^[a-z0-9]$/i.test(event.key)) {
      // Streamlit's own shortcuts go by place for whatever is no plain letter.
      event.stopImmediatePropagation();
    }
  };
  // The second click of a double click, or of a stutter, does nothing more; nor does what leads away from a job that is
  // not the one on screen, or that was left already.
  const once = (event) => {
    const control = event.target.closest?.(ONCE);
    if (!control) return;
    const now = event.timeStamp, leaves = control.matches(LEAVES), showing = findShowing(control);
    const stutters = event.isTrusted && leaves && now - acted < UNSEEN;
    const waits = leaves && left.showing === showing && now - left.at < LATE;
    if (event.detail > 1 || stutters || waits || isOfOtherJob(control)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (leaves) {
      acted = now;
      left = { showing, at: now };
    }
  };
  const answers = new MutationObserver((changes) => {
    if (!isRunning()) {
      left = { showing: null, at: 0 };
      setTimeout(giveBack, GONE);
    }
    if (!changes.some((change) => change.attributeName === CONNECTION)) return;
    changed = performance.now();
    keepWritten();
    setTimeout(keepWritten, GONE);
  });
  answers.observe(document.body, { subtree: true, attributeFilter: [STATE, CONNECTION] });
  // A dialog is a child of the body's: one that is closed without a run changes nothing else.
  const closed = new MutationObserver((changes) => {
    const gone = changes.flatMap(({ removedNodes }) => [...removedNodes]);
    if (gone.some((one) => one.matches?.(ASKS) || one.querySelector?.(ASKS))) setTimeout(giveBack, GONE);
  });
  closed.observe(document.body, { childList: true });
  // Another page has another one of these, which may come after all else.
  setTimeout(giveBack, GONE);
  // A browser that translates a page takes what Streamlit has drawn for its own, and the page goes stale. Texts that are
  // worth it say so themselves.
  document.documentElement.translate = false;
  window.addEventListener("keydown", hear, true);
  window.addEventListener("click", once, true);
  window.addEventListener("click", openRow, true);
  for (const type of LEADS) window.addEventListener(type, noteWritten, true);
  forget = () => {
    window.removeEventListener("keydown", hear, true);
    window.removeEventListener("click", once, true);
    window.removeEventListener("click", openRow, true);
    for (const type of LEADS) window.removeEventListener(type, noteWritten, true);
    answers.disconnect();
    closed.disconnect();
  };
  return forget;
}
