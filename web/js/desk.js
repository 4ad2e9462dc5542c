// The clinician's page: who waits, ringing, call, guests.

import { CallView } from "./call.js";
import { byId, fromTemplate, pageData, setText, showView, within } from "./elements.js";
import { explainRefusal } from "./help.js";
import { loadCatalogue, t } from "./i18n.js";
import { Connection, socketUrl } from "./protocol.js";
import { TitleAlert } from "./ring.js";

/** @typedef {import("./protocol.js").Call} Call */
/** @typedef {import("./protocol.js").ToPage} ToPage */
/** @typedef {import("./protocol.js").WaitingVisit} WaitingVisit */
/** @typedef {import("./protocol.js").ConnectionState} ConnectionState */

await loadCatalogue(document.documentElement.dataset["catalogue"] ?? "");

const views = {
  desk: byId("view-desk", HTMLElement),
  elsewhere: byId("view-elsewhere", HTMLElement),
  over: byId("view-over", HTMLElement),
};
const queue = byId("queue", HTMLUListElement);
const calling = byId("calling", HTMLDialogElement);
const endDialog = byId("end-dialog", HTMLDialogElement);
const guestDialog = byId("guest-dialog", HTMLDialogElement);
const title = new TitleAlert();

/** @type {Map<string, {root: HTMLElement, visit: WaitingVisit, at: number}>} */
const rows = new Map();
/** @type {Call | null} */
let current = null;

const connection = new Connection(socketUrl(pageData("socket"), location.href), {
  onMessage,
  onState,
  epoch: () => callView.media.epoch,
});
const callView = new CallView((message) => connection.send(message), {
  onHangUp: () => endDialog.showModal(),
  onEnd: showOutcome,
  onLocal: () => undefined,
});

byId("cancel", HTMLButtonElement).addEventListener("click", () => {
  if (current !== null) {
    connection.send({ type: "cancel", call: current.id });
  }
});
calling.addEventListener("cancel", (event) => event.preventDefault());
byId("end-back", HTMLButtonElement).addEventListener("click", () => endDialog.close());
byId("end-confirm", HTMLButtonElement).addEventListener("click", () => {
  endDialog.close();
  if (callView.call !== null) {
    connection.send({ type: "hang_up", call: callView.call.id });
  }
});
byId("invite-guest", HTMLButtonElement).addEventListener("click", () => {
  if (callView.call !== null) {
    connection.send({ type: "invite_guest", call: callView.call.id });
  }
});
byId("guest-close", HTMLButtonElement).addEventListener("click", () => guestDialog.close());
byId("guest-copy", HTMLButtonElement).addEventListener("click", () => void copyGuestLink());
byId("take-back", HTMLButtonElement).addEventListener("click", () => location.reload());
const patientAddress = byId("patient-address", HTMLElement);
patientAddress.textContent = new URL(patientAddress.dataset["path"] ?? "/", location.href).href;

setInterval(updateTimes, 5_000);
connection.open();

/** @param {ToPage} message */
function onMessage(message) {
  callView.onMessage(message);
  switch (message.type) {
    case "queue":
      showQueue(message.visits);
      break;
    case "call":
      onCall(message);
      break;
    case "no_call":
      current = null;
      calling.close();
      break;
    case "guest_link":
      showGuestLink(message.token);
      break;
    case "error":
      setText(byId(callView.call === null ? "desk-help" : "call-help", HTMLElement), explainRefusal(message.code));
      break;
    default:
  }
}

/** @param {Call} call */
function onCall(call) {
  const isRinging = call.state === "offered";
  current = isRinging ? call : null;
  if (isRinging) {
    const name = call.participants.find((each) => each.role === "patient")?.name ?? "";
    byId("calling-heading", HTMLElement).textContent = t("Calling {name}", { name });
    setText(byId("desk-notice", HTMLElement), null);
    setText(byId("desk-help", HTMLElement), null);
    if (!calling.open) {
      calling.showModal();
    }
  } else {
    calling.close();
    if (["declined", "no_answer", "cancelled"].includes(call.state)) {
      showOutcome(call);
    }
  }
}

/** @param {Call} call */
function showOutcome(call) {
  endDialog.close();
  guestDialog.close();
  callView.leave();
  setText(byId("desk-notice", HTMLElement), outcomeText(call));
}

/** @param {Call} call */
function outcomeText(call) {
  switch (call.state) {
    case "declined":
      return t("The patient cannot take the call now, and keeps the place in the queue.");
    case "no_answer":
      return t("The patient did not answer, and keeps the place in the queue.");
    case "ended":
      return call.reason === "line_lost" ? t("The line was lost, and the call is over.") : t("The call is over.");
    default:
      return null;
  }
}

/** @param {WaitingVisit[]} visits */
function showQueue(visits) {
  const seen = new Set(visits.map((visit) => visit.id));
  for (const [id, row] of rows) {
    if (!seen.has(id)) {
      row.root.remove();
      rows.delete(id);
    }
  }
  for (const [position, visit] of visits.entries()) {
    const row = rows.get(visit.id) ?? addRow(visit);
    row.visit = visit;
    row.at = Date.now();
    fillRow(row.root, visit);
    if (queue.children[position] !== row.root) {
      queue.insertBefore(row.root, queue.children[position] ?? null);
    }
  }
  const waiting = visits.filter((visit) => visit.state === "ready").length;
  byId("queue-empty", HTMLElement).hidden = visits.length > 0;
  setText(byId("queue-count", HTMLElement), waiting === 0 ? null : countText(waiting));
  title.setNormal(waiting > 0 ? `(${waiting}) ${t("Waiting room")}` : t("Waiting room"));
  updateTimes();
}

/** @param {number} waiting */
function countText(waiting) {
  return waiting === 1 ? t("One patient is waiting") : t("{count} patients are waiting", { count: waiting });
}

/** @param {WaitingVisit} visit */
function addRow(visit) {
  const root = fromTemplate("visit-template");
  within(root, ".visit-ring", HTMLButtonElement).addEventListener("click", () => ring(visit.id));
  const row = { root, visit, at: Date.now() };
  rows.set(visit.id, row);
  return row;
}

/** @param {HTMLElement} root @param {WaitingVisit} visit */
function fillRow(root, visit) {
  const { text, color } = stateText(visit);
  const tag = within(root, ".visit-state", HTMLElement);
  setText(tag, text);
  tag.dataset["color"] = color;
  setText(within(root, ".visit-name", HTMLElement), visit.name);
  const button = within(root, ".visit-ring", HTMLButtonElement);
  button.hidden = visit.state !== "ready";
  button.disabled = !visit.is_here;
  button.setAttribute("aria-label", t("Call {name}", { name: visit.name }));
}

/** @param {WaitingVisit} visit @returns {{text: string, color: string}} */
function stateText(visit) {
  if (visit.state === "ringing") {
    return { text: t("Ringing"), color: "info" };
  }
  if (visit.state === "in_call") {
    return { text: t("In a call"), color: "success" };
  }
  if (visit.state === "lost") {
    return { text: t("Line lost"), color: "danger" };
  }
  if (!visit.is_here) {
    return { text: t("Window closed"), color: "warning" };
  }
  if (visit.outcome === "declined") {
    return { text: t("Said not now"), color: "warning" };
  }
  if (visit.outcome === "no_answer") {
    return { text: t("Did not answer"), color: "warning" };
  }
  return { text: t("Ready"), color: "success" };
}

function updateTimes() {
  for (const { root, visit, at } of rows.values()) {
    const minutes = Math.floor((visit.waiting_s + (Date.now() - at) / 1000) / 60);
    const text = minutes < 1 ? t("just now") : t("{minutes} min", { minutes });
    setText(within(root, ".visit-since", HTMLElement), text);
  }
}

/** @param {string} visit */
function ring(visit) {
  setText(byId("desk-help", HTMLElement), null);
  connection.send({ type: "ring", visit });
  // Asked for now, while the patient's window rings, so that the picture is there at once.
  void callView.acquire().then((problem) => setText(byId("desk-help", HTMLElement), problem));
}

/** @param {string} token */
function showGuestLink(token) {
  const link = new URL(pageData("guestLink"), location.href);
  link.hash = token;
  const field = byId("guest-link", HTMLInputElement);
  field.value = link.href;
  byId("guest-copy-text", HTMLElement).textContent = t("Copy the link");
  if (!guestDialog.open) {
    guestDialog.showModal();
  }
  field.select();
}

async function copyGuestLink() {
  const field = byId("guest-link", HTMLInputElement);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    byId("guest-copy-text", HTMLElement).textContent = t("Copied");
  } catch {
    // Without permission the selected text can still be copied by hand.
  }
}

/** @param {ConnectionState} state */
function onState(state) {
  byId("lost-server", HTMLElement).hidden = state !== "reconnecting";
  if (state === "over" || state === "elsewhere") {
    callView.leave();
    calling.close();
    showView(views, state);
  } else if (state === "outdated") {
    location.reload();
  }
}
