// A guest's page: name, call, goodbye.

import { CallView } from "./call.js";
import { byId, pageData, showView } from "./elements.js";
import { loadCatalogue } from "./i18n.js";
import { enhanceNameForm } from "./name_form.js";
import { Connection, socketUrl } from "./protocol.js";

/** @typedef {import("./protocol.js").ConnectionState} ConnectionState */

await loadCatalogue(document.documentElement.dataset["catalogue"] ?? "");

const views = {
  form: byId("view-form", HTMLElement),
  joining: byId("view-joining", HTMLElement),
  over: byId("view-over", HTMLElement),
  elsewhere: byId("view-elsewhere", HTMLElement),
};

const connection = new Connection(socketUrl(pageData("socket"), location.href), {
  onMessage: (message) => callView.onMessage(message),
  onState,
  epoch: () => callView.media.epoch,
});
const callView = new CallView((message) => connection.send(message), {
  onHangUp: (call) => connection.send({ type: "hang_up", call: call.id }),
  onEnd: showEnd,
  onLocal: () => undefined,
});

// The token leaves the address bar at once, so that nobody reads it there or sends it on by mistake.
byId("token", HTMLInputElement).value = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
enhanceNameForm(null, join);
byId("take-back", HTMLButtonElement).addEventListener("click", () => location.reload());
if (pageData("joined") === "yes") {
  join();
}

function join() {
  showView(views, "joining");
  connection.open();
}

function showEnd() {
  callView.leave();
  showView(views, "over");
}

/** @param {ConnectionState} state */
function onState(state) {
  byId("lost-server", HTMLElement).hidden = state !== "reconnecting";
  if (state === "over") {
    showEnd();
  } else if (state === "elsewhere") {
    callView.leave();
    showView(views, "elsewhere");
  } else if (state === "outdated") {
    location.reload();
  }
}
