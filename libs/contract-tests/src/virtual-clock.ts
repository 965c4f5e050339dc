import type { Clock } from '@godwit/ports';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  fire(): void;
}

/**
 * Time that passes only while everybody waits: when the event loop has nothing left to do, the clock jumps to the next
 * timer. A run over minutes of it takes milliseconds, and is the same every time.
 */
export class VirtualClock implements Clock {
  readonly #timers: Timer[] = [];
  readonly #onAdvance: (fromMs: number, toMs: number) => void;
  #nowMs = 0;
  #timerCount = 0;
  #pumping = false;

  /** `onAdvance` is called before time moves on, for what happens meanwhile. */
  constructor(onAdvance: (fromMs: number, toMs: number) => void = () => {}) {
    this.#onAdvance = onAdvance;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async delay(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const timer: Timer = {
        dueMs: this.#nowMs + Math.max(0, delayMs),
        order: this.#timerCount++,
        fire: () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
      };
      const aborted = (): void => {
        const index = this.#timers.indexOf(timer);
        if (index >= 0) this.#timers.splice(index, 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#timers.push(timer);
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // After all microtasks: whoever can go on has gone on, and waits again or is done.
    setImmediate(() => {
      this.#pumping = false;
      this.#timers.sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
      const timer = this.#timers.shift();
      if (timer === undefined) return;
      this.#onAdvance(this.#nowMs, timer.dueMs);
      this.#nowMs = timer.dueMs;
      timer.fire();
      if (this.#timers.length > 0) this.#pump();
    });
  }
}
