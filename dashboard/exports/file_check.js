// Lets somebody choose or drop a file, has a worker read it, and sends its facts: never its name or content.

const mounted = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const find = (id) => parentElement.querySelector(`#${id}`);
  const zone = find("zone"), input = find("file"), progress = find("progress");
  const here = mounted.get(parentElement) ?? {};
  mounted.set(parentElement, here);
  // The height that the page gave has kept the place; from now on there is as much as is needed.
  for (let at = zone.getRootNode().host; at; at = at.parentElement) {
    at.style.height = "auto";
    if (at.dataset.testid === "stElementContainer") {
      at.style.flex = "none";
      break;
    }
  }
  // Streamlit calls this again whenever the page runs; a file that is being read then goes on.
  here.send = (facts) => setStateValue("facts", facts);

  const stop = (sentence) => {
    here.worker?.terminate();
    here.worker = null;
    find("reading").hidden = true;
    find("status").textContent = sentence;
  };

  const check = (file) => {
    stop("");
    here.send(null);
    find("reading").hidden = false;
    show(0, file.size);
    const url = URL.createObjectURL(new Blob([data.worker], { type: "text/javascript" }));
    const worker = (here.worker = new Worker(url));
    worker.onerror = () => stop("This browser cannot read the file here: use `python -m core verify` instead.");
    worker.onmessage = ({ data: message }) => {
      URL.revokeObjectURL(url);
      if (message.facts) {
        stop(`${file.name} was read.`);
        here.send(message.facts);
      } else if (message.failed) {
        stop(`${file.name} cannot be read: it may have been changed or moved, or is a folder.`);
      } else {
        show(message.read, file.size);
      }
    };
    worker.postMessage({ file, header: data.header });
  };

  const show = (read, size) => {
    const share = size > 0 ? read / size : 1;
    progress.value = share;
    find("percent").textContent = `${Math.floor(share * 100)} %`;
  };

  input.onchange = () => {
    if (input.files.length > 0) check(input.files[0]);
  };
  find("cancel").onclick = () => {
    stop("Stopped: nothing was verified.");
    input.value = "";
    input.focus();
  };
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length > 0) {
      input.files = event.dataTransfer.files;
      check(event.dataTransfer.files[0]);
    }
  };
  return () => here.worker?.terminate();
}
