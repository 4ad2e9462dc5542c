// Camera and microphone: getting them, losing them, switching them. Knows no page.

/** @typedef {import("./protocol.js").Kind} Kind */
/** @typedef {"denied" | "missing" | "busy" | "insecure" | "failed"} Trouble */
/** @typedef {{audio: Trouble | null, video: Trouble | null}} Acquired */

/** @type {MediaTrackConstraints} */
const VIDEO = {
  // No minimum: a camera that offers less is better than none.
  width: { ideal: 1280, max: 1280 },
  height: { ideal: 720, max: 960 },
  frameRate: { ideal: 30, max: 30 },
};
/** @type {MediaTrackConstraints} */
const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** @type {Record<string, Trouble>} */
const TROUBLE_OF_ERROR = {
  NotAllowedError: "denied",
  SecurityError: "insecure",
  NotFoundError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

export class LocalMedia {
  /** For the own picture; the tracks in it come and go. */
  stream = new MediaStream();
  /** What the user wants, whether there is a device for it or not. */
  wants = { audio: true, video: true };
  /** @type {"user" | "environment"} */
  facing = "user";
  cameras = 0;
  #onChange;

  /** @param {() => void} onChange a track was added, replaced or lost */
  constructor(onChange) {
    this.#onChange = onChange;
    // Absent without a secure context.
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#countCameras());
  }

  /** @param {Kind} kind @returns {MediaStreamTrack | null} */
  track(kind) {
    const tracks = kind === "audio" ? this.stream.getAudioTracks() : this.stream.getVideoTracks();
    return tracks[0] ?? null;
  }

  /** Whether others can see or hear it. @param {Kind} kind */
  isLive(kind) {
    const track = this.track(kind);
    return track !== null && track.readyState === "live" && track.enabled;
  }

  /** Ask for whatever is wanted and missing: both at once, then each alone to learn which one fails. */
  async acquire() {
    /** @type {Acquired} */
    const trouble = { audio: null, video: null };
    const needs = {
      audio: this.wants.audio && this.track("audio") === null,
      video: this.wants.video && this.track("video") === null,
    };
    if (needs.audio || needs.video) {
      const both = await this.#request({ audio: needs.audio && AUDIO, video: needs.video && VIDEO });
      if (both !== null && needs.audio && needs.video) {
        trouble.audio = await this.#request({ audio: AUDIO });
        trouble.video = await this.#request({ video: VIDEO });
      } else {
        trouble.audio = needs.audio ? both : null;
        trouble.video = needs.video ? both : null;
      }
      await this.#countCameras();
    }
    return trouble;
  }

  /** Off stops the camera itself, so that its light goes out. @param {boolean} on @returns {Promise<Trouble | null>} */
  async setCamera(on) {
    this.wants.video = on;
    if (!on) {
      this.#drop("video");
      this.#onChange();
      return null;
    }
    return (await this.acquire()).video;
  }

  /** @param {boolean} on @returns {Promise<Trouble | null>} */
  async setMicrophone(on) {
    this.wants.audio = on;
    const track = this.track("audio");
    if (track !== null) {
      track.enabled = on;
      this.#onChange();
      return null;
    }
    return on ? (await this.acquire()).audio : null;
  }

  /** The other camera. The old one is stopped first: some phones cannot open both. @returns {Promise<Trouble | null>} */
  async flip() {
    const before = this.track("video")?.getSettings() ?? {};
    const facing = this.facing === "user" ? "environment" : "user";
    const constraints = { ...VIDEO, ...(await this.#otherCamera(before.deviceId, facing)) };
    this.#drop("video");
    const trouble = await this.#request({ video: constraints });
    if (trouble === null) {
      const settings = this.track("video")?.getSettings() ?? {};
      this.facing = settings.facingMode === "environment" ? "environment" : "user";
      return null;
    }
    const back = before.deviceId ? { ...VIDEO, deviceId: { exact: before.deviceId } } : VIDEO;
    await this.#request({ video: back });
    return trouble;
  }

  stop() {
    this.#drop("audio");
    this.#drop("video");
    this.#onChange();
  }

  /** @param {string | undefined} current @param {string} facing @returns {Promise<MediaTrackConstraints>} */
  async #otherCamera(current, facing) {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter((device) => device.kind === "videoinput");
    const hasFacing = navigator.mediaDevices.getSupportedConstraints().facingMode === true;
    const isPhone = hasFacing && this.track("video")?.getSettings().facingMode !== undefined;
    if (isPhone) {
      return { facingMode: { ideal: facing } };
    }
    const index = cameras.findIndex((device) => device.deviceId === current);
    const next = cameras[(index + 1) % cameras.length];
    return next ? { deviceId: { exact: next.deviceId } } : {};
  }

  /** @param {MediaStreamConstraints} constraints @returns {Promise<Trouble | null>} */
  async #request(constraints) {
    if (!navigator.mediaDevices) {
      return "insecure";
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      for (const track of stream.getTracks()) {
        this.#add(track);
      }
    } catch (error) {
      return (error instanceof DOMException && TROUBLE_OF_ERROR[error.name]) || "failed";
    }
    this.#onChange();
    return null;
  }

  /** @param {MediaStreamTrack} track */
  #add(track) {
    const kind = /** @type {Kind} */ (track.kind);
    this.#drop(kind);
    if (!this.wants[kind]) {
      // Turned off again while the browser was asking.
      track.stop();
      return;
    }
    track.contentHint = kind === "video" ? "motion" : "speech";
    track.addEventListener("ended", () => {
      // Unplugged, or taken by a phone call.
      if (this.stream.getTracks().includes(track)) {
        this.stream.removeTrack(track);
        this.#onChange();
      }
    });
    this.stream.addTrack(track);
  }

  /** @param {Kind} kind */
  #drop(kind) {
    const track = this.track(kind);
    if (track !== null) {
      this.stream.removeTrack(track);
      track.stop();
    }
  }

  async #countCameras() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    this.cameras = devices.filter((device) => device.kind === "videoinput").length;
    this.#onChange();
  }
}
