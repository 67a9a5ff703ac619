// Streamlit gives a link to its first page an address without a path, which leads to the page that shows it, where the
// browser follows it: in a new tab, from a copied address. And whatever key is held, it follows a link in this tab.

const LINKS = "a[data-testid$=NavLink]", PATHLESS = `${LINKS}:is([href=""], [href^="?"])`;

let forget = () => {};

export default function () {
  forget();
  const mend = () => {
    for (const link of document.querySelectorAll(PATHLESS)) link.setAttribute("href", `./${link.getAttribute("href")}`);
  };
  const leave = (event) => {
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey;
    if (elsewhere && event.target.closest?.(LINKS)) event.stopPropagation();
  };
  const changes = new MutationObserver(mend);
  changes.observe(document.body, { subtree: true, childList: true, attributeFilter: ["href"] });
  mend();
  addEventListener("click", leave, true);
  forget = () => {
    changes.disconnect();
    removeEventListener("click", leave, true);
  };
  return forget;
}
