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
