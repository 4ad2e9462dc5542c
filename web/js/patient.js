// The patient's page: name, waiting room, ringing, call, goodbye.

import { CallView } from "./call.js";
import { byId, pageData, setText, showView } from "./elements.js";
import { loadCatalogue, t } from "./i18n.js";
import { enhanceNameForm } from "./name_form.js";
import { Preview } from "./preview.js";
import { Connection, socketUrl } from "./protocol.js";
import { Ringtone, TitleAlert } from "./ring.js";
import { WakeLock } from "./wake_lock.js";

/** @typedef {import("./protocol.js").Call} Call */
/** @typedef {import("./protocol.js").ToPage} ToPage */
/** @typedef {import("./protocol.js").Visit} Visit */
/** @typedef {import("./protocol.js").ConnectionState} ConnectionState */

await loadCatalogue(document.documentElement.dataset["catalogue"] ?? "");

const views = {
  form: byId("view-form", HTMLElement),
  waiting: byId("view-waiting", HTMLElement),
  over: byId("view-over", HTMLElement),
  elsewhere: byId("view-elsewhere", HTMLElement),
};
const ringing = byId("ringing", HTMLDialogElement);
const soundButton = byId("waiting-sound", HTMLButtonElement);
const note = byId("waiting-note", HTMLElement);
const ringtone = new Ringtone();
const title = new TitleAlert();
const wakeLock = new WakeLock();

/** @type {Call | null} */
let offered = null;
let isOver = false;

const connection = new Connection(socketUrl(pageData("socket"), location.href), {
  onMessage,
  onState,
  epoch: () => callView.media.epoch,
});
const callView = new CallView((message) => connection.send(message), {
  onHangUp: (call) => connection.send({ type: "hang_up", call: call.id }),
  onEnd: showEnd,
  onLocal: () => preview.update(),
});
const preview = new Preview(callView);

enhanceNameForm(() => void ringtone.unlock(), startWaiting);
byId("accept", HTMLButtonElement).addEventListener("click", accept);
byId("decline", HTMLButtonElement).addEventListener("click", decline);
ringing.addEventListener("cancel", (event) => event.preventDefault());
byId("leave", HTMLButtonElement).addEventListener("click", () => connection.send({ type: "leave" }));
byId("take-back", HTMLButtonElement).addEventListener("click", () => location.reload());
soundButton.addEventListener("click", () => {
  void ringtone.unlock();
  soundButton.hidden = true;
});

if (pageData("waiting") === "yes") {
  startWaiting();
}

function startWaiting() {
  showView(views, "waiting");
  title.setNormal(t("Waiting room"));
  wakeLock.set(true);
  soundButton.hidden = ringtone.isUnlocked || navigator.userActivation?.isActive === true;
  connection.open();
}

/** @param {ToPage} message */
function onMessage(message) {
  callView.onMessage(message);
  if (message.type === "call") {
    onCall(message);
  } else if (message.type === "no_call") {
    stopRinging();
  } else if (message.type === "visit") {
    onVisit(message);
  }
}

/** @param {Call} call */
function onCall(call) {
  if (call.state === "offered") {
    startRinging(call);
  } else {
    stopRinging();
  }
}

/** @param {Visit} visit */
function onVisit(visit) {
  switch (visit.state) {
    case "left":
    case "expired":
      showGoodbye(t("You have left the waiting room"));
      break;
    case "ready":
      showView(views, "waiting");
      setText(note, outcomeText(visit));
      break;
    default:
  }
}

/** @param {Visit} visit */
function outcomeText(visit) {
  switch (visit.outcome) {
    case "declined":
    case "no_answer":
      return t("You did not take the call. You keep your place, and your clinician can call again.");
    case "cancelled":
      return t("Your clinician stopped the call. You keep your place.");
    default:
      return null;
  }
}

/** @param {Call} call */
function startRinging(call) {
  if (offered?.id === call.id) {
    return;
  }
  offered = call;
  ringing.showModal();
  byId("accept", HTMLButtonElement).focus();
  ringtone.start();
  title.start(t("Your clinician is calling"));
}

function stopRinging() {
  offered = null;
  ringtone.stop();
  title.stop();
  ringing.close();
}

function accept() {
  if (offered !== null) {
    connection.send({ type: "accept", call: offered.id });
    // The browser's question for camera and microphone comes up while the server sets up the call.
    void callView.acquire().then((problem) => preview.showHelp(problem));
    stopRinging();
  }
}

function decline() {
  if (offered !== null) {
    connection.send({ type: "decline", call: offered.id });
    stopRinging();
  }
}

/** @param {Call} call */
function showEnd(call) {
  if (call.state === "ended") {
    byId("over-text", HTMLElement).textContent =
      call.reason === "line_lost"
        ? t("The line was lost. Your clinician will try to invite you to a new call, or phone you.")
        : t("Thank you. You can close the window now.");
    showGoodbye(t("The call is over"));
  }
}

/** @param {string} heading */
function showGoodbye(heading) {
  if (isOver) {
    return;
  }
  isOver = true;
  byId("over-heading", HTMLElement).textContent = heading;
  title.setNormal(heading);
  callView.leave();
  wakeLock.set(false);
  stopRinging();
  showView(views, "over");
}

/** @param {ConnectionState} state */
function onState(state) {
  byId("lost-server", HTMLElement).hidden = state !== "reconnecting";
  if (state === "over") {
    showGoodbye(t("The visit is over"));
  } else if (state === "elsewhere") {
    callView.leave();
    stopRinging();
    showView(views, "elsewhere");
  } else if (state === "outdated") {
    location.reload();
  }
}
