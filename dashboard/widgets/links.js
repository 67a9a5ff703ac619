// Streamlit gives a link to its first page an address without a path, which leads to the page that shows it, where the
// browser follows it: in a new tab, from a copied address. And whatever key is held, it follows a link in this tab.
//
// It follows one at once, too, while the answer to what was chosen just before is under way: then the address in that
// answer, which is for the page that is left, takes the place of the link's.
//
// And a file that is asked for then would be the one from before the choice: without the guard for a spreadsheet, say.

const PAGES = "a[data-testid$=NavLink]", PATHLESS = `${PAGES}:is([href=""], [href^="?"])`;
const FILES = "[data-testid=stLinkButton] a";

const STATE = "data-test-script-state", RUNNING = `[${STATE}]:not([${STATE}=notRunning])`;

// What may ask the server something; what only opens, or moves the focus, does not.
const ACTS = ["click", "change", "keydown"], MOVES = ["Tab", "Shift"];
const ASKS = "button, input, label, canvas, svg, [role=option], [role=gridcell]";
const ASKS_NOTHING = `${PAGES}, ${FILES}, [data-testid=stPopoverButton], summary`;

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

function isUnanswered() {
  return asked !== null && (asked.hasBegun || isRunning() || performance.now() - asked.at < SOON);
}

// An address comes early in an answer, or not at all; a file's link, with all else.
function isUnheard(link) {
  if (!isUnanswered()) return false;
  return link.matches(FILES) || (location.href === asked.address && performance.now() - asked.at < LATE);
}

function followOnceHeard(one) {
  if (wanted !== one) return;
  const { link, address } = one;
  if (isUnheard(link)) return requestAnimationFrame(() => followOnceHeard(one));
  wanted = null;
  if (link.matches(FILES)) return openFile(link);
  // It leads where it led when it was clicked, also if it was drawn anew meanwhile.
  const same = [link, ...document.querySelectorAll(PAGES)].find((each) => each.isConnected && each.href === address);
  if (!same) return location.assign(address);
  same.click();
}

// A browser opens a tab only soon after somebody has clicked; a file needs none.
function openFile(link) {
  if (!link.isConnected) return;
  if (navigator.userActivation?.isActive === false) return location.assign(link.href);
  link.click();
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
    const link = event.target.closest?.(`${PAGES}, ${FILES}`);
    if (!link) return;
    wanted = null;
    if (link.matches(PAGES) && (event.ctrlKey || event.metaKey || event.shiftKey)) event.stopPropagation();
    else if (isUnheard(link)) {
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
