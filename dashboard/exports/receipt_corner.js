// Shows a receipt in the corner of the window; what it says is text.

export default function ({ data, parentElement, setTriggerValue }) {
  const find = (id) => parentElement.querySelector("#" + id);
  const write = (id, text) => {
    // What says the same as before is not read out again.
    if (find(id).textContent !== text) find(id).textContent = text;
  };
  write("said", data.said);
  find("said").className = `said ${data.status}`;
  write("size", data.size);
  write("meaning", data.meaning);
  write("sha256", data.sha256 ?? "");
  find("hash").hidden = data.sha256 === null;
  write("receipt", `Receipt ${data.export.slice(0, 8)}`);
  find("receipt").href = `exports?export=${data.export}`;
  find("close").onclick = () => setTriggerValue("closed", true);
  const copy = find("copy");
  const say = (word) => {
    copy.textContent = word;
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  };
  copy.onclick = () => navigator.clipboard.writeText(data.sha256).then(() => say("Copied"), () => say("Not allowed"));
}
