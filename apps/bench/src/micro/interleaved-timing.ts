/** Something whose time is taken. */
export interface Measured {
  readonly name: string;
  /** Does the work once: milliseconds or less where `prepare` is missing, so that many fit into a sample. */
  run(): void | Promise<void>;
  /** Before each sample, out of its time. A sample is then one run. */
  prepare?(): void;
}

/** How often, and how long. */
export interface TimingPlan {
  /** Samples of each. */
  readonly rounds: number;
  /** A sample repeats a run until it takes about this long. */
  readonly sampleMs: number;
  readonly signal: AbortSignal;
}

/** What one of several took, sample by sample; sample i of each was taken side by side with sample i of the others. */
export interface Timing {
  readonly name: string;
  /** Nanoseconds of one run, in each sample. */
  readonly nanoseconds: Float64Array;
}

const REPEATS_MAX = 1_000_000;

/**
 * Takes the time of several variants in turns, A B C, C B A, A B C, ..., so that whatever the machine does meanwhile
 * meets all of them alike and their ratios have a spread of their own. Each is run once before, unmeasured.
 * @throws `signal.reason` when it is aborted
 */
export async function timeInterleaved(
  measured: readonly Measured[],
  { rounds, sampleMs, signal }: TimingPlan,
): Promise<readonly Timing[]> {
  const entries: { variant: Measured; repeats: number; nanoseconds: Float64Array }[] = [];
  for (const variant of measured) {
    signal.throwIfAborted();
    entries.push({ variant, repeats: await repeatsFor(variant, sampleMs), nanoseconds: new Float64Array(rounds) });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { variant, repeats, nanoseconds } of round % 2 === 0 ? entries : entries.toReversed()) {
      signal.throwIfAborted();
      nanoseconds[round] = (await sample(variant, repeats)) / repeats;
    }
    // A turn of the event loop, for the one who wants to interrupt.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return entries.map(({ variant: { name }, nanoseconds }) => ({ name, nanoseconds }));
}

/** The timing of a name. */
export function timingOf(timings: readonly Timing[], name: string): Timing {
  const found = timings.find((timing) => timing.name === name);
  if (found === undefined) throw new RangeError(`nothing called ${name} was measured`);
  return found;
}

async function repeatsFor(variant: Measured, sampleMs: number): Promise<number> {
  await sample(variant, 1);
  if (variant.prepare !== undefined) return 1;
  // The second run and not the first, which may meet cold caches and code that is not compiled yet.
  const onceMs = (await sample(variant, 1)) / 1e6;
  return Math.min(REPEATS_MAX, Math.max(1, Math.ceil(sampleMs / Math.max(onceMs, 1e-6))));
}

async function sample(variant: Measured, repeats: number): Promise<number> {
  variant.prepare?.();
  const started = process.hrtime.bigint();
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const pending = variant.run();
    if (pending !== undefined) await pending;
  }
  return Number(process.hrtime.bigint() - started);
}
