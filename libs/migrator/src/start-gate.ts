import { appendFileSync } from 'node:fs';
import type { EpochFate } from './pump.ts';

/** Decides once whether the guest of an epoch starts here, and writes it to the journal first; as `native/start_gate.rs`. */
export class StartGate {
  readonly #journalPath: string | undefined;
  readonly #session: string;
  #fate: 'undecided' | 'started' | 'renounced' = 'undecided';
  startedAtNs = 0n;

  constructor(journalPath: string | undefined, session: string) {
    this.#journalPath = journalPath;
    this.#session = session;
    if (journalPath !== undefined) appendFileSync(journalPath, '');
  }

  /**
   * Starts the guest by `letGo`; false if the epoch was decided before. Where `letGo` fails the guest has not run, and the epoch is renounced after all.
   */
  async start(epoch: number, letGo: () => Promise<void>): Promise<boolean> {
    if (this.#fate !== 'undecided') return false;
    this.#write('started', epoch);
    this.#fate = 'started';
    try {
      await letGo();
    } catch (error) {
      this.#fate = 'renounced';
      this.#tryToWrite('renounced', epoch);
      throw error;
    }
    this.startedAtNs = process.hrtime.bigint();
    return true;
  }

  /** A journal that cannot be written changes nothing: without `started` it says the same. */
  renounce(epoch: number): EpochFate {
    if (this.#fate === 'undecided') {
      this.#fate = 'renounced';
      this.#tryToWrite('renounced', epoch);
    }
    return { started: this.#fate === 'started', startedAtNs: Number(this.startedAtNs) };
  }

  #tryToWrite(word: 'renounced', epoch: number): void {
    try {
      this.#write(word, epoch);
    } catch {
      // The decision stands without its line.
    }
  }

  #write(word: 'started' | 'renounced', epoch: number): void {
    if (this.#journalPath !== undefined) appendFileSync(this.#journalPath, `${this.#session} ${epoch} ${word}\n`);
  }
}
