// The call as seen on the page: the same for patients, clinicians and guests.

import { LocalMedia } from "./devices.js";
import { byId, setText } from "./elements.js";
import { explain } from "./help.js";
import { t } from "./i18n.js";
import { CallMedia } from "./media.js";
import { Remotes, displayName } from "./remotes.js";
import { WakeLock } from "./wake_lock.js";

/** @typedef {import("./protocol.js").Call} Call */
/** @typedef {import("./protocol.js").FromPage} FromPage */
/** @typedef {import("./protocol.js").ToPage} ToPage */
/** @typedef {import("./media.js").MediaState} MediaState */

const TALKING = new Set(["accepted", "connected", "reconnecting"]);

export class CallView {
  /** @type {Call | null} */
  #call = null;
  #self = "";
  /** @type {MediaState} */
  #state = "new";
  #startedAt = 0;
  #isAcquiring = false;
  #root = byId("call", HTMLElement);
  #banner = byId("call-banner", HTMLElement);
  #help = byId("call-help", HTMLElement);
  #sound = byId("call-sound", HTMLButtonElement);
  #selfTile = byId("call-self-tile", HTMLElement);
  #selfVideo = byId("call-self", HTMLVideoElement);
  #flip = byId("call-flip", HTMLButtonElement);
  #camera = byId("call-camera", HTMLButtonElement);
  #microphone = byId("call-microphone", HTMLButtonElement);
  #time = byId("call-time", HTMLElement);
  #wakeLock = new WakeLock();
  #remotes;
  #events;

  /**
   * @param {(message: FromPage) => boolean} send
   * @param {{
   *   onHangUp: (call: Call) => void,
   *   onEnd: (call: Call) => void,
   *   onLocal: () => void,
   * }} events onHangUp: «End call» was pressed; onEnd: the call is over; onLocal: own camera or microphone changed
   */
  constructor(send, events) {
    this.#events = events;
    this.local = new LocalMedia(() => this.#localChanged());
    this.media = new CallMedia(send, this.local, {
      onRemotes: (remotes) => this.#remotes.setStreams(remotes),
      onState: (state) => this.#mediaState(state),
    });
    this.#remotes = new Remotes(() => {
      this.#sound.hidden = false;
    });
    this.#listen();
    setInterval(() => this.#tick(), 1_000);
  }

  /** The call whose media flows, if any. */
  get call() {
    return this.#call;
  }

  /** @param {ToPage} message */
  onMessage(message) {
    switch (message.type) {
      case "welcome":
        this.#self = message.participant;
        break;
      case "call":
        this.#setCall(message);
        break;
      case "no_call":
        this.#close();
        break;
      case "wish":
        this.media.setWish(message);
        break;
      case "answer":
        void this.media.onAnswer(message);
        break;
      case "refused":
        this.media.onRefused(message);
        this.#showHelp(t("This browser and our server found no common way to talk. Try Chrome, Edge, Firefox or Safari."));
        break;
      case "not_received":
        this.#showHelp(t("One participant's picture cannot be shown in this browser. You still hear them."));
        break;
      default:
    }
  }

  /** Camera and microphone, before or in the call. @returns {Promise<string | null>} what went wrong, for people */
  async acquire() {
    if (this.#isAcquiring) {
      return null;
    }
    this.#isAcquiring = true;
    try {
      return explain(await this.local.acquire());
    } finally {
      this.#isAcquiring = false;
    }
  }

  /** This window has no part in the call any more. */
  leave() {
    this.#close();
    this.local.stop();
  }

  #listen() {
    this.#flip.addEventListener("click", () => void this.#flipCamera());
    this.#camera.addEventListener("click", () => void this.#toggleCamera());
    this.#microphone.addEventListener("click", () => void this.#toggleMicrophone());
    byId("call-end", HTMLButtonElement).addEventListener("click", () => {
      if (this.#call !== null) {
        this.#events.onHangUp(this.#call);
      }
    });
    this.#sound.addEventListener("click", () => {
      this.#sound.hidden = true;
      void this.#remotes.playAll();
    });
  }

  /** @param {Call} call */
  #setCall(call) {
    const isTalking = TALKING.has(call.state);
    if (!isTalking) {
      const wasTalking = this.#call !== null;
      this.#close();
      if (wasTalking || call.state === "ended") {
        this.#events.onEnd(call);
      }
      return;
    }
    if (this.#call === null) {
      this.#show();
    }
    this.#call = call;
    if (call.epoch === null) {
      this.media.lost();
    }
    const others = call.participants.filter((each) => each.id !== this.#self);
    this.#remotes.setParticipants(others);
    byId("call-who", HTMLElement).textContent = others.map(displayName).join(", ");
    this.#updateBanner();
  }

  #show() {
    this.#root.hidden = false;
    document.body.classList.add("in-call");
    this.#startedAt = Date.now();
    this.#wakeLock.set(true);
    this.#localChanged();
    this.#microphone.focus({ preventScroll: true });
    void this.acquire().then((problem) => this.#showHelp(problem));
  }

  #close() {
    this.media.close();
    this.#call = null;
    this.#root.hidden = true;
    this.#sound.hidden = true;
    this.#showHelp(null);
    document.body.classList.remove("in-call");
    this.#wakeLock.set(false);
    this.#remotes.setParticipants([]);
  }

  /** @param {MediaState} state */
  #mediaState(state) {
    this.#state = state;
    this.#updateBanner();
  }

  #updateBanner() {
    setText(this.#banner, this.#call === null ? null : bannerText(this.#call, this.#state));
  }

  /** @param {string | null} text */
  #showHelp(text) {
    setText(this.#help, text);
  }

  #localChanged() {
    const { local } = this;
    const hasPicture = local.isLive("video");
    const isHeard = local.isLive("audio");
    if (this.#selfVideo.srcObject !== local.stream) {
      this.#selfVideo.srcObject = local.stream;
    }
    if (hasPicture) {
      // A stream that had no track when it was set does not start by itself everywhere.
      this.#selfVideo.play().catch(() => undefined);
    }
    this.#selfTile.classList.toggle("is-off", !hasPicture);
    this.#selfTile.classList.toggle("is-mirrored", local.facing === "user");
    setToggle(this.#camera, hasPicture, hasPicture ? t("Turn camera off") : t("Turn camera on"));
    setToggle(this.#microphone, isHeard, isHeard ? t("Turn microphone off") : t("Turn microphone on"));
    this.#flip.setAttribute("aria-disabled", String(local.cameras < 2 || !hasPicture));
    void this.media.localChanged();
    this.#events.onLocal();
  }

  async #flipCamera() {
    if (!this.local.isLive("video")) {
      this.#showHelp(t("Turn the camera on first."));
    } else if (this.local.cameras < 2) {
      this.#showHelp(t("This device has only one camera."));
    } else {
      this.#showHelp(explain({ audio: null, video: await this.local.flip() }));
    }
  }

  async #toggleCamera() {
    const trouble = await this.local.setCamera(!this.local.isLive("video"));
    this.#showHelp(explain({ audio: null, video: trouble }));
  }

  async #toggleMicrophone() {
    const trouble = await this.local.setMicrophone(!this.local.isLive("audio"));
    this.#showHelp(explain({ audio: trouble, video: null }));
  }

  #tick() {
    if (this.#call !== null) {
      const seconds = Math.floor((Date.now() - this.#startedAt) / 1000);
      this.#time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
  }
}

/** @param {HTMLButtonElement} button @param {boolean} isOn @param {string} text */
function setToggle(button, isOn, text) {
  button.setAttribute("aria-pressed", String(!isOn));
  const label = button.querySelector(".control-text");
  if (label !== null && label.textContent !== text) {
    label.textContent = text;
  }
}

/** @param {Call} call @param {MediaState} state @returns {string | null} */
function bannerText(call, state) {
  if (state === "interrupted" || state === "failed") {
    return t("Connecting again …");
  }
  if (call.state === "reconnecting") {
    return t("The line was lost. We try to get it back …");
  }
  if (state === "connecting" || state === "new") {
    return t("Connecting …");
  }
  return null;
}
