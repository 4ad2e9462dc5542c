// The ringtone, made of two tones, so that there is no file to load at the moment it is needed.

const LOW_HZ = 440;
const HIGH_HZ = 554;
const TONE_S = 0.4;
const PERIOD_MS = 2_400;
const LOUDNESS = 0.22;
const FADE_S = 0.03;

export class Ringtone {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer = undefined;

  /** Whether the browser would let it be heard now. */
  get isUnlocked() {
    return this.#context?.state === "running";
  }

  /** Call it in answer to a press: browsers let no page make sounds unasked. */
  async unlock() {
    this.#context ??= new AudioContext();
    if (this.#context.state !== "running") {
      // Never settles while the browser refuses.
      void this.#context.resume();
    }
  }

  start() {
    this.stop();
    void this.unlock();
    this.#ringOnce();
    navigator.vibrate?.([400, 200, 400]);
    this.#timer = setInterval(() => {
      this.#ringOnce();
      navigator.vibrate?.([400, 200, 400]);
    }, PERIOD_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    navigator.vibrate?.(0);
  }

  #ringOnce() {
    const context = this.#context;
    if (context === null || context.state !== "running") {
      return;
    }
    [LOW_HZ, HIGH_HZ, LOW_HZ, HIGH_HZ].forEach((frequencyHz, index) => {
      const startS = context.currentTime + index * TONE_S;
      const oscillator = new OscillatorNode(context, { type: "triangle", frequency: frequencyHz });
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setValueAtTime(0, startS);
      gain.gain.linearRampToValueAtTime(LOUDNESS, startS + FADE_S);
      gain.gain.setValueAtTime(LOUDNESS, startS + TONE_S - FADE_S);
      gain.gain.linearRampToValueAtTime(0, startS + TONE_S);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(startS);
      oscillator.stop(startS + TONE_S);
    });
  }
}

/** Makes the window's title blink while something wants attention. */
export class TitleAlert {
  #normal = document.title;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer = undefined;

  /** @param {string} text */
  start(text) {
    this.stop();
    document.title = text;
    this.#timer = setInterval(() => {
      document.title = document.title === text ? this.#normal : text;
    }, 1_000);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    document.title = this.#normal;
  }

  /** @param {string} title what it is when nothing blinks */
  setNormal(title) {
    this.#normal = title;
    if (this.#timer === undefined) {
      document.title = title;
    }
  }
}
