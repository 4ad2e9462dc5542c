// The wire protocol: docs/protocol.md. Knows no page, so that other clients can use it.

/** @typedef {"audio" | "video"} Kind */
/** @typedef {"created" | "details" | "ready" | "ringing" | "in_call" | "lost" | "ended" | "left" | "expired"} VisitState */
/** @typedef {"offered" | "accepted" | "connected" | "reconnecting" | "ended" | "declined" | "no_answer" | "cancelled"} CallState */
/** @typedef {"connecting" | "connected" | "interrupted" | "lost" | "away"} Presence */
/** @typedef {"patient" | "clinician" | "guest"} Role */
/** @typedef {{id: string, name: string, role: Role, presence: Presence, audio: boolean, video: boolean}} Participant */
/** @typedef {{id: string, name: string, state: VisitState, waiting_s: number, is_here: boolean, outcome: CallState | null}} WaitingVisit */
/** @typedef {{peer: string, kind: Kind, id: string}} Publication */

/** @typedef {{type: "welcome", version: number, role: Role, participant: string}} Welcome */
/** @typedef {{type: "pong"}} Pong */
/** @typedef {{type: "queue", visits: WaitingVisit[]}} Queue */
/** @typedef {{type: "visit", state: VisitState, outcome: CallState | null}} Visit */
/** @typedef {{type: "call", id: string, visit: string, state: CallState, reason: string | null, epoch: number | null, participants: Participant[]}} Call */
/** @typedef {{type: "no_call"}} NoCall */
/** @typedef {{type: "wish", epoch: number, audio: number, video: number, revision: number}} Wish */
/** @typedef {{type: "answer", epoch: number, id: number, sdp: string, publications: Record<string, Publication>}} Answer */
/** @typedef {{type: "refused", epoch: number, id: number, reason: string}} OfferRefused */
/** @typedef {{type: "not_received", publication: string, reason: string}} NotReceived */
/** @typedef {{type: "guest_link", call: string, token: string}} GuestLink */
/** @typedef {{type: "error", code: string, of: string}} Refusal */
/** @typedef {Welcome | Pong | Queue | Visit | Call | NoCall | Wish | Answer | OfferRefused | NotReceived | GuestLink | Refusal} ToPage */

/**
 * @typedef {{type: "hello", version: number, epoch: number | null} | {type: "ping"}
 *   | {type: "offer", epoch: number, id: number, revision: number, sdp: string}
 *   | {type: "applied", epoch: number, id: number}
 *   | {type: "source", epoch: number, kind: Kind, live: boolean}
 *   | {type: "rejoin", epoch: number}
 *   | {type: "ring", visit: string}
 *   | {type: "cancel" | "accept" | "decline" | "hang_up" | "invite_guest", call: string}
 *   | {type: "leave"}} FromPage
 */

/** @typedef {"open" | "reconnecting" | "over" | "elsewhere" | "outdated"} ConnectionState */

export const VERSION = 1;

const PING_INTERVAL_MS = 10_000;
/** Two pings and a slow answer. */
const SILENCE_MS = 25_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8_000;

/** Close codes after which the server does not want this window back. @type {Record<number, ConnectionState>} */
const FINAL_CLOSE_CODES = { 4001: "elsewhere", 4002: "over", 4403: "over", 4400: "outdated", 4406: "outdated" };

/** A WebSocket that comes back by itself, and says hello each time. */
export class Connection {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retryTimer = undefined;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pingTimer = undefined;
  #retryMs = FIRST_RETRY_MS;
  #heardAt = 0;
  #isWelcome = false;
  #isStopped = false;
  #url;
  #events;

  /**
   * @param {string} url
   * @param {{
   *   onMessage: (message: ToPage) => void,
   *   onState: (state: ConnectionState) => void,
   *   epoch: () => number | null,
   * }} events `epoch` names the peer connection that this window still holds
   */
  constructor(url, events) {
    this.#url = url;
    this.#events = events;
    globalThis.addEventListener("online", () => this.#hurry());
  }

  open() {
    this.#isStopped = false;
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#isWelcome = false;
    this.#heardAt = Date.now();
    socket.onopen = () => this.#sayHello(socket);
    socket.onmessage = (event) => this.#receive(socket, event);
    socket.onclose = (event) => this.#closed(socket, event.code);
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => this.#ping(socket), PING_INTERVAL_MS);
  }

  /** For good. */
  close() {
    this.#isStopped = true;
    clearTimeout(this.#retryTimer);
    clearInterval(this.#pingTimer);
    this.#socket?.close(1000);
    this.#socket = null;
  }

  /**
   * False when it could not be sent. Nothing is queued: after a reconnect both sides start from whole states.
   * @param {FromPage} message
   */
  send(message) {
    const isOpen = this.#isWelcome && this.#socket?.readyState === WebSocket.OPEN;
    if (isOpen) {
      this.#socket?.send(JSON.stringify(message));
    }
    return isOpen;
  }

  /** @param {WebSocket} socket */
  #sayHello(socket) {
    socket.send(JSON.stringify({ type: "hello", version: VERSION, epoch: this.#events.epoch() }));
  }

  /** @param {WebSocket} socket @param {MessageEvent} event */
  #receive(socket, event) {
    if (socket !== this.#socket) {
      return;
    }
    this.#heardAt = Date.now();
    /** @type {ToPage} */
    const message = JSON.parse(event.data);
    if (message.type === "welcome") {
      this.#isWelcome = true;
      this.#retryMs = FIRST_RETRY_MS;
      this.#events.onState("open");
    }
    if (message.type !== "pong") {
      this.#events.onMessage(message);
    }
  }

  /** @param {WebSocket} socket */
  #ping(socket) {
    if (Date.now() - this.#heardAt > SILENCE_MS) {
      // close() would wait for an answer that does not come.
      this.#closed(socket, 1006);
      socket.close();
    } else {
      this.send({ type: "ping" });
    }
  }

  /** @param {WebSocket} socket @param {number} code */
  #closed(socket, code) {
    if (socket !== this.#socket) {
      return;
    }
    this.#socket = null;
    this.#isWelcome = false;
    clearInterval(this.#pingTimer);
    const final = FINAL_CLOSE_CODES[code];
    if (final !== undefined || this.#isStopped) {
      this.#isStopped = true;
      this.#events.onState(final ?? "over");
      return;
    }
    this.#events.onState("reconnecting");
    // Spread out, so that a restarted server does not get everybody in one instant.
    const waitMs = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
    this.#retryTimer = setTimeout(() => this.open(), waitMs);
  }

  /** The network is back: do not wait for the next retry, and do not trust an old connection. */
  #hurry() {
    if (this.#isStopped) {
      return;
    }
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.send({ type: "ping" });
    } else if (this.#socket === null) {
      this.open();
    }
  }
}

/** The WebSocket address beside a page of ours. @param {string} path @param {string} pageUrl */
export function socketUrl(path, pageUrl) {
  const url = new URL(path, pageUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
