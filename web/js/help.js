// What to do when the browser, the computer or somebody's camera is in the way.

import { t } from "./i18n.js";

/** @typedef {import("./devices.js").Trouble} Trouble */
/** @typedef {import("./devices.js").Acquired} Acquired */

/** One sentence or two for whoever is stuck, or null. @param {Acquired} acquired */
export function explain(acquired) {
  const { audio, video } = acquired;
  if (audio === null && video === null) {
    return null;
  }
  if (audio === "insecure" || video === "insecure") {
    return t("The browser only opens the camera on a secure address that begins with https://. Check the address you typed.");
  }
  if (audio !== null && video !== null) {
    return both(audio, video);
  }
  return video !== null ? camera(video) : microphone(/** @type {Trouble} */ (audio));
}

/** @param {Trouble} audio @param {Trouble} video */
function both(audio, video) {
  if (audio === "denied" && video === "denied") {
    return t("The browser does not let us use the camera and the microphone. Press the symbol beside the address, allow both, and try again.");
  }
  if (audio === "missing" && video === "missing") {
    return t("We find neither a camera nor a microphone. Plug them in, or open the same address on a phone or tablet.");
  }
  return t("The camera and the microphone do not start. Close other programs that use them, such as Teams or Zoom, and try again.");
}

/** @param {Trouble} trouble */
function camera(trouble) {
  switch (trouble) {
    case "denied":
      return t("The browser does not let us use the camera. Press the symbol beside the address, allow the camera, and try again.");
    case "missing":
      return t("We find no camera. The others can hear you, but not see you.");
    default:
      return t("The camera does not start. Close other programs that use it, such as Teams or Zoom, and try again.");
  }
}

/** @param {Trouble} trouble */
function microphone(trouble) {
  switch (trouble) {
    case "denied":
      return t("The browser does not let us use the microphone. Press the symbol beside the address, allow the microphone, and try again.");
    case "missing":
      return t("We find no microphone. The others can see you, but not hear you.");
    default:
      return t("The microphone does not start. Close other programs that use it, such as Teams or Zoom, and try again.");
  }
}

/** What a refused request means to whoever made it. @param {string} code */
export function explainRefusal(code) {
  switch (code) {
    case "patient_away":
      return t("The patient's window is not open just now. Try again in a moment.");
    case "in_a_call":
      return t("You are in a call already.");
    case "not_now":
    case "no_such_visit":
    case "no_such_call":
      return t("That was no longer possible: something else happened first.");
    case "too_many_guest_links":
      return t("There are as many unused guest links as there can be.");
    case "room_full":
      return t("The call already has as many participants as it can take.");
    case "too_many_calls":
      return t("The server has as many calls as it can take. Try again in a few minutes.");
    default:
      return t("That did not work. Try again.");
  }
}
