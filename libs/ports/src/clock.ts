/** Monotonic time, given from outside so that strategies run on a virtual clock too. */
export interface Clock {
  /** Milliseconds since an arbitrary moment, never running backwards; fractions carry microseconds and finer. */
  nowMs(): number;
  /** Resolves after `delayMs`; rejects with `signal.reason` when aborted. */
  delay(delayMs: number, signal?: AbortSignal): Promise<void>;
}
