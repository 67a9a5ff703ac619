// On a narrow screen an opened job stands beneath the list: go there.

const shown = new WeakMap();

export default function ({ data, parentElement }) {
  if (shown.get(parentElement) === data.job) return;
  shown.set(parentElement, data.job);
  if (matchMedia("(max-width: 640px)").matches) {
    // Beneath the bar at the top and the steps to other jobs.
    parentElement.host.style.scrollMarginTop = "9rem";
    parentElement.host.scrollIntoView({ block: "start" });
  }
}
