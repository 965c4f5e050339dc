/** What a sender may do now: hand over so many bytes, or ask again after so many milliseconds. */
export type Grant = { readonly bytes: number } | { readonly waitMs: number };

const QUEUE_BYTES_MIN = 4 << 10;
const QUEUE_BYTES_MAX = 128 << 10;
const CATCH_UP_MS = 2;
const FOLLOWS_MS = 0.1;
/** A clock in milliseconds may be too coarse to move by less. */
const WAIT_MS_MIN = 0.001;
const WAIT_MS_MAX = 5;

/**
 * The queue in front of a link of a given rate, as in `native/pacer.rs`: a leaky bucket that the link drains. A sender runs
 * ahead of the link by the depth of the queue and no further, makes up at most two milliseconds if it was woken late, and
 * finds an idle link free at once. Time is the caller's, in milliseconds.
 */
export class Pacer {
  #backlogBytes = 0;
  #atMs = 0;

  /** How far a sender may run ahead of the link: what it carries in a millisecond, between 4 and 128 KiB. */
  static queueBytes(bytesPerSecond: number): number {
    return Math.min(Math.max(bytesPerSecond / 1000, QUEUE_BYTES_MIN), QUEUE_BYTES_MAX);
  }

  /** A transfer begins: time the link was idle before it is lost. */
  begin(nowMs: number, bytesPerSecond: number): void {
    const floor = nowMs - this.#atMs <= FOLLOWS_MS ? Math.min(this.#backlogBytes, 0) : 0;
    this.#drain(nowMs, bytesPerSecond);
    this.#backlogBytes = Math.max(this.#backlogBytes, floor);
  }

  /** Whether some of `wantedBytes` may go now. */
  grant(nowMs: number, bytesPerSecond: number, wantedBytes: number): Grant {
    this.#drain(nowMs, bytesPerSecond);
    const queue = Pacer.queueBytes(bytesPerSecond);
    const room = queue - this.#backlogBytes;
    const least = Math.max(1, Math.min(wantedBytes, Math.floor(queue / 2)));
    if (room >= least) return { bytes: Math.floor(Math.min(wantedBytes, room, queue)) };
    const waitMs = ((least - room) / bytesPerSecond) * 1000;
    return { waitMs: Math.min(Math.max(waitMs, WAIT_MS_MIN), WAIT_MS_MAX) };
  }

  /** The socket took so many bytes. */
  sent(bytes: number): void {
    this.#backlogBytes += bytes;
  }

  #drain(nowMs: number, bytesPerSecond: number): void {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    const floor = (-bytesPerSecond * CATCH_UP_MS) / 1000;
    this.#backlogBytes = Math.max(this.#backlogBytes - (bytesPerSecond * passedMs) / 1000, floor);
  }
}
