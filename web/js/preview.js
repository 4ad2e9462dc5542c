// Camera and microphone while waiting: the permission is given before the call, not in the middle of its first seconds.

import { byId, setText } from "./elements.js";
import { t } from "./i18n.js";

/** @typedef {import("./call.js").CallView} CallView */

export class Preview {
  #ask = byId("preview-ask", HTMLElement);
  #help = byId("preview-help", HTMLElement);
  #picture = byId("preview-picture", HTMLElement);
  #video = byId("preview-video", HTMLVideoElement);
  #text = byId("preview-text", HTMLElement);
  #callView;

  /** @param {CallView} callView */
  constructor(callView) {
    this.#callView = callView;
    byId("preview-allow", HTMLButtonElement).addEventListener("click", () => {
      void callView.acquire().then((problem) => this.showHelp(problem));
    });
  }

  /** The own camera or microphone has changed. */
  update() {
    const { local } = this.#callView;
    const hasVideo = local.isLive("video");
    const hasAudio = local.isLive("audio");
    this.#ask.hidden = hasVideo && hasAudio;
    this.#picture.hidden = !hasVideo && !hasAudio;
    this.#video.hidden = !hasVideo;
    if (hasVideo && this.#video.srcObject === null) {
      this.#video.srcObject = local.stream;
    }
    if (hasVideo) {
      this.#video.play().catch(() => undefined);
    }
    if (hasVideo && hasAudio) {
      setText(this.#text, t("Camera and microphone are on. Your clinician sees and hears you only in the call."));
    } else {
      setText(this.#text, hasVideo ? t("The camera is on.") : t("The microphone is on."));
    }
  }

  /** @param {string | null} text */
  showHelp(text) {
    setText(this.#help, text);
  }
}
