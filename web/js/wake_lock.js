// Keeps the screen from going dark, which on phones would also stop camera and ringtone.

export class WakeLock {
  #isWanted = false;
  /** @type {WakeLockSentinel | null} */
  #lock = null;

  constructor() {
    // The browser takes the lock back whenever the page is hidden.
    document.addEventListener("visibilitychange", () => void this.#update());
  }

  /** @param {boolean} on */
  set(on) {
    this.#isWanted = on;
    void this.#update();
  }

  async #update() {
    if (this.#isWanted && document.visibilityState === "visible" && "wakeLock" in navigator) {
      try {
        this.#lock ??= await navigator.wakeLock.request("screen");
        this.#lock.addEventListener("release", () => {
          this.#lock = null;
        });
      } catch {
        this.#lock = null; // low battery: the call goes on without
      }
    } else if (!this.#isWanted && this.#lock !== null) {
      await this.#lock.release();
      this.#lock = null;
    }
  }
}
