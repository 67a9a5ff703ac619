"""When a page has become what it stays: all that it asked is answered, and drawn."""

from playwright.sync_api import Page

# Notes in each page which of its questions the server has answered. The state that Streamlit shows cannot tell: until
# the server begins, it is that of the run before. Messages are told apart by their fields in Streamlit's BackMsg.proto
# (rerun_script, 11) and ForwardMsg.proto (new_session, 4; script_finished, 6), and questions by those of
# ClientState.proto (fragment_id, 5; is_auto_rerun, 6).
#
# A question about a fragment that a run has just taken away is answered by nothing. What asks by itself every few
# seconds is not waited for, and what somebody pressed there is given up where nothing runs any more.
KNOW_ANSWERS = """
(() => {
  const fields = function* (bytes) {
    let at = 0;
    const number = () => { let value = 0, shift = 0, byte;
      do { byte = bytes[at++]; value += (byte & 127) * 2 ** shift; shift += 7; } while (byte > 127);
      return value; };
    while (at < bytes.length) {
      const tag = number();
      if ((tag & 7) !== 2) yield [tag >> 3, number()];
      else { const length = number(); yield [tag >> 3, bytes.subarray(at, (at += length))]; }
    }
  };
  const GIVEN_UP = 10_000;
  let begun = 0;
  window.asked = window.answered = 0;
  window.WebSocket = class extends window.WebSocket {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", ({ data }) => {
        const kinds = [...fields(new Uint8Array(data))].map(([kind]) => kind), which = begun;
        const answer = () => { window.answered = Math.max(window.answered, which); };
        if (kinds.includes(4)) begun = window.asked;
        // What came is drawn a frame later.
        if (kinds.includes(6)) requestAnimationFrame(() => requestAnimationFrame(answer));
      });
      // Nobody answers any more.
      this.addEventListener("close", () => { window.answered = window.asked; });
    }
    send(data) {
      const [kind, question] = fields(new Uint8Array(data)).next().value;
      const said = kind === 11 ? new Map(fields(question)) : new Map();
      if (kind === 11 && !said.get(6)) {
        const which = (window.asked += 1);
        const give_up = () => {
          const app = document.querySelector("[data-testid=stApp]");
          if (app?.dataset.testScriptState !== "notRunning") setTimeout(give_up, GIVEN_UP);
          else window.answered = Math.max(window.answered, which);
        };
        if (said.has(5)) setTimeout(give_up, GIVEN_UP);
      }
      super.send(data);
    }
  };
})();
"""

# A page that has asked nothing yet has only begun. Whatever turns without end, such as a sign of waiting, is not waited
# for.
_IS_STILL = """
() => window.asked !== 0 && window.answered === window.asked
  && document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
  && document.getAnimations().every(
    (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity)
"""


def wait_until_still(page: Page) -> None:
    """Wait until all is answered, and stands where and as it stays: what fades in has no contrast yet.

    Not by `expect`, which describes the whole page each time that it has looked too soon.
    """
    page.wait_for_function(_IS_STILL)
