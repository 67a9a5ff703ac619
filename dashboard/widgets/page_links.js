// Streamlit gives a link to its first page an address without a path, which leads to the page that shows it, where the
// browser follows it: in a new tab, from a copied address. And whatever key is held, it follows a link in this tab.
//
// It follows one at once, too, while the answer to what was chosen just before is under way: then the address in that
// answer, which is for the page that is left, takes the place of the link's.

const LINKS = "a[data-testid$=NavLink]", PATHLESS = `${LINKS}:is([href=""], [href^="?"])`;

const STATE = "data-test-script-state", RUNNING = `[${STATE}]:not([${STATE}=notRunning])`;

// What may ask the server something; what only opens, or moves the focus, does not.
const ACTS = ["click", "change", "keydown"], MOVES = ["Tab", "Shift"];
const ASKS = "button, input, label, canvas, svg, [role=option], [role=gridcell]";
const ASKS_NOTHING = `${LINKS}, [data-testid=stPopoverButton], summary`;

// Milliseconds in which an answer begins, and after which nobody waits for its address any more.
const SOON = 2000, LATE = 5000;

let forget = () => {};
// What was done last, while it may be unanswered: when, at which address, and whether its answer has begun.
let asked = null;
// The link that is to be followed.
let wanted = null;

function isRunning() {
  return document.querySelector(RUNNING) !== null;
}

function isUnheard() {
  if (asked === null || location.href !== asked.address) return false;
  return performance.now() - asked.at < (asked.hasBegun || isRunning() ? LATE : SOON);
}

// An address comes early in an answer, or not at all. The link leads where it led when it was clicked, also if it was
// drawn anew meanwhile.
function followOnceHeard(one) {
  if (wanted !== one) return;
  if (isUnheard()) return requestAnimationFrame(() => followOnceHeard(one));
  wanted = null;
  const { link, address } = one;
  const same = [link, ...document.querySelectorAll(LINKS)].find((each) => each.isConnected && each.href === address);
  if (!same) return location.assign(address);
  same.click();
}

export default function () {
  forget();
  const mend = () => {
    for (const link of document.querySelectorAll(PATHLESS)) link.setAttribute("href", `./${link.getAttribute("href")}`);
  };
  const act = (event) => {
    const at = event.target;
    if (at.closest?.(ASKS_NOTHING) || MOVES.includes(event.key)) return;
    if (event.type === "click" && !at.closest?.(ASKS)) return;
    asked = { at: performance.now(), address: location.href, hasBegun: false };
  };
  const leave = (event) => {
    const link = event.target.closest?.(LINKS);
    if (!link) return;
    wanted = null;
    if (event.ctrlKey || event.metaKey || event.shiftKey) event.stopPropagation();
    else if (isUnheard()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      wanted = { link, address: link.href };
      followOnceHeard(wanted);
    }
  };
  const changes = new MutationObserver((all) => {
    mend();
    if (asked === null || !all.some((one) => one.attributeName === STATE)) return;
    if (isRunning()) asked.hasBegun = true;
    else if (asked.hasBegun) asked = null;
  });
  changes.observe(document.body, { subtree: true, childList: true, attributeFilter: ["href", STATE] });
  mend();
  for (const one of ACTS) addEventListener(one, act, true);
  addEventListener("click", leave, true);
  forget = () => {
    changes.disconnect();
    for (const one of ACTS) removeEventListener(one, act, true);
    removeEventListener("click", leave, true);
  };
  return forget;
}
