// The others' pictures: one tile with one <video> for each participant.

import { byId, fromTemplate, setText, within } from "./elements.js";
import { t } from "./i18n.js";

/** @typedef {import("./protocol.js").Participant} Participant */
/** @typedef {{root: HTMLElement, video: HTMLVideoElement, off: HTMLElement, wait: HTMLElement, name: HTMLElement, muted: HTMLElement}} Tile */

export class Remotes {
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {ReadonlyMap<string, MediaStream>} */
  #streams = new Map();
  /** @type {Participant[]} */
  #participants = [];
  #grid = byId("call-remotes", HTMLElement);
  #onBlocked;

  /** @param {() => void} onBlocked the browser does not play sound before the user presses something */
  constructor(onBlocked) {
    this.#onBlocked = onBlocked;
  }

  /** @param {Participant[]} participants without the one who looks */
  setParticipants(participants) {
    this.#participants = participants;
    this.#arrange();
  }

  /** @param {ReadonlyMap<string, MediaStream>} streams */
  setStreams(streams) {
    this.#streams = new Map(streams);
    this.#arrange();
  }

  /** In answer to a press. */
  async playAll() {
    for (const { video } of this.#tiles.values()) {
      await video.play().catch(() => undefined);
    }
  }

  #arrange() {
    const known = new Map(this.#participants.map((each) => [each.id, each]));
    // A camera that came by WHIP is no participant, and is shown all the same.
    const ids = new Set([...known.keys(), ...this.#streams.keys()]);
    for (const [id, tile] of this.#tiles) {
      if (!ids.has(id)) {
        tile.video.srcObject = null;
        tile.root.remove();
        this.#tiles.delete(id);
      }
    }
    for (const id of ids) {
      this.#fill(this.#tiles.get(id) ?? this.#addTile(id), known.get(id) ?? null, this.#streams.get(id) ?? null);
    }
    this.#grid.dataset["count"] = String(ids.size);
  }

  /** @param {string} id @returns {Tile} */
  #addTile(id) {
    const root = fromTemplate("remote-template");
    const tile = {
      root,
      video: within(root, "video", HTMLVideoElement),
      off: within(root, ".remote-off", HTMLElement),
      wait: within(root, ".remote-wait", HTMLElement),
      name: within(root, ".remote-text", HTMLElement),
      muted: within(root, ".remote-muted", HTMLElement),
    };
    root.dataset["participant"] = id;
    this.#tiles.set(id, tile);
    this.#grid.append(root);
    return tile;
  }

  /** @param {Tile} tile @param {Participant | null} participant @param {MediaStream | null} stream */
  #fill(tile, participant, stream) {
    const name = participant === null ? t("Camera") : displayName(participant);
    setText(tile.name, name);
    tile.video.setAttribute("aria-label", t("Picture of {name}", { name }));
    tile.muted.hidden = participant === null || participant.audio;
    const isHere = participant === null || participant.presence === "connected";
    const hasPicture = stream !== null && stream.getVideoTracks().length > 0 && (participant?.video ?? true);
    tile.off.hidden = hasPicture && isHere;
    tile.root.classList.toggle("is-waiting", !isHere);
    setText(tile.wait, participant === null ? null : waitText(participant));
    if (tile.video.srcObject !== stream) {
      tile.video.srcObject = stream;
    }
    if (stream !== null && tile.video.paused) {
      tile.video.play().catch((error) => {
        // An interrupted play() is tried again by whatever interrupted it.
        if (error instanceof DOMException && error.name === "NotAllowedError") {
          this.#onBlocked();
        }
      });
    }
  }
}

/** @param {Participant} participant */
export function displayName(participant) {
  if (participant.name !== "") {
    return participant.name;
  }
  return participant.role === "clinician" ? t("Clinician") : t("Guest");
}

/** @param {Participant} participant @returns {string | null} */
function waitText(participant) {
  switch (participant.presence) {
    case "connecting":
      return t("Connecting …");
    case "interrupted":
      return t("The line is weak …");
    case "lost":
    case "away":
      return t("Has lost contact. Waiting …");
    case "connected":
      return participant.video ? null : t("The camera is off");
  }
}
