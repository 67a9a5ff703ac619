// Tells Python how large the window is. The cookie says it from the next page on; what was laid out for quite another
// window is laid out anew: at once where list and job have no room beside each other, else when nobody is at it, because
// a run that nobody asked for may overtake the one that they did.

// Pixels by which a window may be narrower or wider than what it was laid out for, higher, and lower: a list still ends
// within it.
const WIDER = 200, HIGHER = 100, LOWER = 60;

const STEP = 20, QUIET = 1000, BUSY = 100, YEAR = 31536000;
const ACTS = ["keydown", "pointerdown", "input"];

let forget = () => {};

export default function ({ data, setStateValue }) {
  forget();
  let timer, size;
  // A run of the whole page would close a dialog, and take away what somebody is writing in it; so would one that is
  // asked for while the run goes on that is to open it.
  const tell = () => {
    if (document.querySelector("[role=dialog], [data-test-script-state]:not([data-test-script-state=notRunning])"))
      timer = setTimeout(tell, BUSY);
    else setStateValue("size", size);
  };
  const look = () => {
    clearTimeout(timer);
    timer = undefined;
    const [width, height] = [innerWidth, innerHeight].map((pixels) => Math.floor(pixels / STEP) * STEP);
    size = `${width}x${height}`;
    document.cookie = `${data.cookie}=${size}; path=/; max-age=${YEAR}; SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}`;
    if (width >= data.wide !== data.width >= data.wide) tell();
    else if (Math.abs(width - data.width) > WIDER || height - data.height > HIGHER || data.height - height > LOWER)
      timer = setTimeout(tell, QUIET);
  };
  const put_off = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(tell, QUIET);
  };
  look();
  addEventListener("resize", look);
  for (const act of ACTS) document.addEventListener(act, put_off, true);
  forget = () => {
    clearTimeout(timer);
    removeEventListener("resize", look);
    for (const act of ACTS) document.removeEventListener(act, put_off, true);
  };
  return forget;
}
