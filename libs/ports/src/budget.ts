/** What a migration may cost. */
export interface Budget {
  /** From the call on a running source until every page is at the destination. */
  readonly totalMs: number;
  /** The longest the outside world may miss the guest. */
  readonly downtimeMs: number;
}
