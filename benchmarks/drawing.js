// Notes when each text is first drawn on a canvas: Streamlit draws tables there, and nothing else tells of it.

const drawn = new Map();
const draw = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
  if (!drawn.has(text)) {
    drawn.set(text, Infinity);
    // Shown is what was drawn before the next frame begins.
    requestAnimationFrame(() => drawn.set(text, performance.now()));
  }
  return draw.call(this, text, ...place);
};

let clicked = 0;
addEventListener("click", (event) => { clicked = event.timeStamp; drawn.clear(); }, { capture: true });

// Milliseconds from the last click (or from the opening of the page) until all these texts were shown; null: not yet.
window.shownAfter = (texts) => {
  const times = texts.map((text) => drawn.get(text) ?? Infinity);
  return times.every(isFinite) ? Math.max(...times) - clicked : null;
};

// An open job is drawn as elements: it is shown once its id and its verdicts are those of another job than before.
let pressed = 0, before = "", shown = null;
const openJob = () => document.querySelector(".st-key-open_job_id code")?.textContent ?? "";
addEventListener("keydown", (event) => { pressed = event.timeStamp; before = openJob(); shown = null; }, { capture: true });
new MutationObserver(() => {
  const job = openJob();
  if (shown !== null || !pressed || !job || job === before) return;
  if (!document.querySelector(`[class*="st-key-verdict_agree_${job}"] button`)) return;
  shown = Infinity;
  requestAnimationFrame(() => { shown = performance.now() - pressed; });
}).observe(document, { childList: true, subtree: true, attributes: true, characterData: true });

// Milliseconds from the last key until another job was shown; null: not yet.
window.jobAfter = () => (Number.isFinite(shown) ? shown : null);
