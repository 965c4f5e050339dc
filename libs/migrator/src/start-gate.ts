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

  /** True if the guest shall start now. */
  start(epoch: number): boolean {
    return this.#decide('started', epoch);
  }

  /** After `start`, for a guest that could not be let go and so has not run: the epoch is renounced after all. */
  takeBack(epoch: number): void {
    this.#write('renounced', epoch);
    this.#fate = 'renounced';
  }

  renounce(epoch: number): EpochFate {
    this.#decide('renounced', epoch);
    return { started: this.#fate === 'started', startedAtNs: Number(this.startedAtNs) };
  }

  #decide(wanted: 'started' | 'renounced', epoch: number): boolean {
    if (this.#fate !== 'undecided') return false;
    this.#write(wanted, epoch);
    this.#fate = wanted;
    return true;
  }

  #write(word: 'started' | 'renounced', epoch: number): void {
    if (this.#journalPath !== undefined) appendFileSync(this.#journalPath, `${this.#session} ${epoch} ${word}\n`);
  }
}
