/** One demand of a port. Throws or rejects where what the fixture holds does not meet it. */
export interface ContractCase<F> {
  readonly name: string;
  run(fixture: F): void | Promise<void>;
}
