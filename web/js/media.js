// One peer connection with the SFU: offers, answers, tracks in and out, repair. Knows no page.
//
// The browser always offers; one offer is in flight at a time. What is sent and what is received use separate m-lines.

/** @typedef {import("./protocol.js").Kind} Kind */
/** @typedef {import("./protocol.js").Wish} Wish */
/** @typedef {import("./protocol.js").Answer} Answer */
/** @typedef {import("./protocol.js").OfferRefused} OfferRefused */
/** @typedef {import("./protocol.js").Publication} Publication */
/** @typedef {import("./protocol.js").FromPage} FromPage */
/** @typedef {import("./devices.js").LocalMedia} LocalMedia */
/** @typedef {"new" | "connecting" | "connected" | "interrupted" | "failed"} MediaState */
/** @typedef {{id: number, revision: number, sdp: string}} Offer */

/** A short gap heals by itself; waiting for `failed` would take 15 to 30 s. */
const RESTART_AFTER_MS = 3_000;
/** An ICE restart that has not helped by now never will. */
const REJOIN_AFTER_MS = 12_000;
const FIRST_REJOIN_MS = 1_000;
const LONGEST_REJOIN_MS = 15_000;

/** @type {Kind[]} */
const KINDS = ["audio", "video"];

export class CallMedia {
  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** @type {Record<Kind, RTCRtpTransceiver> | null} */
  #sending = null;
  /** @type {Wish | null} */
  #wish = null;
  /** @type {Offer | null} */
  #inFlight = null;
  #lastId = 0;
  #appliedId = 0;
  #wantsRestart = false;
  #epoch = 0;
  /** @type {Map<string, MediaStream>} */
  #remotes = new Map();
  /** @type {Record<Kind, boolean>} */
  #told = { audio: true, video: true };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #repairTimer = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rejoinTimer = undefined;
  #rejoinMs = FIRST_REJOIN_MS;
  #send;
  #local;
  #events;

  /**
   * @param {(message: FromPage) => boolean} send
   * @param {LocalMedia} local
   * @param {{onRemotes: (remotes: ReadonlyMap<string, MediaStream>) => void, onState: (state: MediaState) => void}} events
   */
  constructor(send, local, events) {
    this.#send = send;
    this.#local = local;
    this.#events = events;
    globalThis.addEventListener("online", () => this.restartIce());
  }

  /** Names the peer connection that we hold, for the hello. */
  get epoch() {
    return this.#pc === null ? null : this.#epoch;
  }

  /** What the server wants this page to be able to receive; a new epoch asks for a new peer connection. @param {Wish} wish */
  setWish(wish) {
    if (this.#pc === null || wish.epoch !== this.#epoch) {
      this.#open(wish.epoch);
    }
    const isNew = this.#wish === null || wish.revision !== this.#wish.revision;
    this.#wish = wish;
    if (isNew) {
      void this.#negotiate();
    } else {
      this.#resume();
    }
  }

  /** The server has no peer connection for us (any more), though the call goes on. */
  lost() {
    if (this.#pc !== null || this.#rejoinTimer === undefined) {
      this.close();
      this.#events.onState("failed");
      this.#scheduleRejoin();
    }
  }

  /** @param {Answer} answer */
  async onAnswer(answer) {
    const pc = this.#pc;
    const offer = this.#inFlight;
    if (pc === null || offer === null || answer.epoch !== this.#epoch || answer.id !== offer.id) {
      return;
    }
    try {
      await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    } catch {
      this.#rejoin();
      return;
    }
    if (pc !== this.#pc) {
      return;
    }
    this.#inFlight = null;
    this.#appliedId = answer.id;
    this.#send({ type: "applied", epoch: this.#epoch, id: answer.id });
    this.#tellSources();
    this.#arrangeRemotes(pc, answer.publications);
    if (this.#wantsRestart || offer.revision !== this.#wish?.revision) {
      void this.#negotiate();
    }
  }

  /** @param {OfferRefused} refused */
  onRefused(refused) {
    if (refused.epoch === this.#epoch && refused.id === this.#inFlight?.id) {
      this.#events.onState("failed");
      this.#scheduleRejoin();
    }
  }

  /** The local tracks have changed. */
  async localChanged() {
    const sending = this.#sending;
    if (sending === null) {
      return;
    }
    for (const kind of KINDS) {
      const track = this.#local.track(kind);
      if (sending[kind].sender.track !== track) {
        await sending[kind].sender.replaceTrack(track);
      }
    }
    this.#tellSources();
  }

  /** New network, same call. */
  restartIce() {
    if (this.#pc !== null) {
      this.#wantsRestart = true;
      this.#pc.restartIce();
      void this.#negotiate();
    }
  }

  close() {
    clearTimeout(this.#repairTimer);
    clearTimeout(this.#rejoinTimer);
    this.#rejoinTimer = undefined;
    if (this.#pc !== null) {
      this.#pc.onconnectionstatechange = null;
      this.#pc.close();
    }
    this.#pc = null;
    this.#sending = null;
    this.#wish = null;
    this.#inFlight = null;
    this.#wantsRestart = false;
    this.#remotes.clear();
    this.#events.onRemotes(this.#remotes);
  }

  /** A few numbers from getStats, for support. */
  async snapshot() {
    const pc = this.#pc;
    const numbers = { state: pc?.connectionState ?? "closed", rttMs: 0, framesDecoded: 0, packetsLost: 0, sendBps: 0 };
    for (const report of (await pc?.getStats())?.values() ?? []) {
      if (report.type === "candidate-pair" && report.nominated) {
        numbers.rttMs = Math.round((report.currentRoundTripTime ?? 0) * 1000);
        numbers.sendBps = report.availableOutgoingBitrate ?? 0;
      } else if (report.type === "inbound-rtp") {
        numbers.framesDecoded += report.framesDecoded ?? 0;
        numbers.packetsLost += report.packetsLost ?? 0;
      }
    }
    return numbers;
  }

  /** @param {number} epoch */
  #open(epoch) {
    this.close();
    this.#epoch = epoch;
    this.#lastId = 0;
    this.#appliedId = 0;
    this.#told = { audio: true, video: true };
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#pc = pc;
    /** @type {RTCRtpTransceiverInit} */
    const init = { direction: "sendonly", streams: [this.#local.stream] };
    this.#sending = {
      audio: pc.addTransceiver(this.#local.track("audio") ?? "audio", init),
      video: pc.addTransceiver(this.#local.track("video") ?? "video", init),
    };
    pc.onconnectionstatechange = () => this.#stateChanged(pc);
    this.#events.onState("connecting");
    this.#repairTimer = setTimeout(() => this.#rejoin(), REJOIN_AFTER_MS + RESTART_AFTER_MS);
  }

  async #negotiate() {
    const pc = this.#pc;
    const wish = this.#wish;
    if (pc === null || wish === null || this.#inFlight !== null) {
      return; // the answer in flight brings us back here
    }
    const offer = { id: ++this.#lastId, revision: wish.revision, sdp: "" };
    this.#inFlight = offer;
    this.#wantsRestart = false;
    this.#addReceivers(pc, wish);
    try {
      await pc.setLocalDescription(await pc.createOffer());
    } catch {
      this.#rejoin();
      return;
    }
    if (pc === this.#pc) {
      offer.sdp = pc.localDescription?.sdp ?? "";
      this.#sendOffer(offer);
    }
  }

  /** @param {Offer} offer */
  #sendOffer(offer) {
    this.#send({ type: "offer", epoch: this.#epoch, ...offer });
  }

  /** After a reconnect: whatever may not have arrived is said again. */
  #resume() {
    if (this.#inFlight !== null && this.#inFlight.sdp !== "") {
      this.#sendOffer(this.#inFlight);
    } else if (this.#appliedId > 0) {
      this.#send({ type: "applied", epoch: this.#epoch, id: this.#appliedId });
    }
    this.#told = { audio: true, video: true };
    this.#tellSources(true);
  }

  /**
   * Inactive receivers are used again by the server before it wishes for more, so the count is all that matters.
   * @param {RTCPeerConnection} pc @param {Wish} wish
   */
  #addReceivers(pc, wish) {
    for (const kind of KINDS) {
      const have = pc.getTransceivers().filter(
        (each) => each.direction === "recvonly" && each.receiver.track.kind === kind,
      ).length;
      for (let missing = wish[kind] - have; missing > 0; missing--) {
        pc.addTransceiver(kind, { direction: "recvonly" });
      }
    }
  }

  /**
   * One stream for each publishing participant, so that one element plays picture and sound in step.
   * @param {RTCPeerConnection} pc @param {Record<string, Publication>} publications
   */
  #arrangeRemotes(pc, publications) {
    /** @type {Map<string, MediaStreamTrack[]>} */
    const tracksOf = new Map();
    for (const transceiver of pc.getTransceivers()) {
      const publication = transceiver.mid === null ? undefined : publications[transceiver.mid];
      if (publication !== undefined) {
        tracksOf.set(publication.peer, [...(tracksOf.get(publication.peer) ?? []), transceiver.receiver.track]);
      }
    }
    for (const [peer, stream] of this.#remotes) {
      if (!tracksOf.has(peer)) {
        this.#remotes.delete(peer);
      }
      for (const track of stream.getTracks()) {
        if (!tracksOf.get(peer)?.includes(track)) {
          stream.removeTrack(track);
        }
      }
    }
    for (const [peer, tracks] of tracksOf) {
      const stream = this.#remotes.get(peer) ?? new MediaStream();
      this.#remotes.set(peer, stream);
      for (const track of tracks) {
        stream.addTrack(track); // does nothing with a track that is there
      }
    }
    this.#events.onRemotes(this.#remotes);
  }

  /** The server starts from «live»; it hears of every difference. */
  #tellSources(always = false) {
    if (this.#appliedId === 0) {
      return; // there is no publication yet that could be silent
    }
    for (const kind of KINDS) {
      const live = this.#local.isLive(kind);
      if ((always || this.#told[kind] !== live) && this.#send({ type: "source", epoch: this.#epoch, kind, live })) {
        this.#told[kind] = live;
      }
    }
  }

  /** @param {RTCPeerConnection} pc */
  #stateChanged(pc) {
    if (pc !== this.#pc) {
      return;
    }
    clearTimeout(this.#repairTimer);
    switch (pc.connectionState) {
      case "connected":
        this.#rejoinMs = FIRST_REJOIN_MS;
        this.#events.onState("connected");
        break;
      case "disconnected":
        this.#events.onState("interrupted");
        this.#repairTimer = setTimeout(() => this.#repair(), RESTART_AFTER_MS);
        break;
      case "failed":
        this.#events.onState("interrupted");
        this.#repair();
        break;
      default:
        this.#repairTimer = setTimeout(() => this.#rejoin(), REJOIN_AFTER_MS + RESTART_AFTER_MS);
    }
  }

  #repair() {
    this.restartIce();
    this.#repairTimer = setTimeout(() => this.#rejoin(), REJOIN_AFTER_MS);
  }

  #scheduleRejoin() {
    clearTimeout(this.#rejoinTimer);
    this.#rejoinTimer = setTimeout(() => this.#rejoin(), this.#rejoinMs);
    this.#rejoinMs = Math.min(this.#rejoinMs * 2, LONGEST_REJOIN_MS);
  }

  /** Beyond repair: ask for a new peer connection. While the server is out of reach the hello does the same. */
  #rejoin() {
    const epoch = this.#epoch;
    this.close();
    this.#events.onState("failed");
    this.#send({ type: "rejoin", epoch });
    this.#scheduleRejoin();
  }
}
