import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HostRequestName, HostRequests } from './requests.ts';

/** What a host answered instead of a result. */
export class HostFailure extends Error {
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code?: string };
}

/** A host in an operating-system process of its own. */
export class TestHost {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #nextId = 0;

  static async start(): Promise<TestHost> {
    const child = fork(fileURLToPath(new URL('./host-main.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx', '--conditions=@godwit/source'],
    });
    const exit = once(child, 'exit').then(() => Promise.reject(new Error('the host process did not start')));
    await Promise.race([once(child, 'message'), exit]);
    exit.catch(() => {});
    return new TestHost(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(new HostFailure(answer.error.message, answer.error.code));
    });
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new HostFailure('the host process is gone', 'GONE'));
      this.#waiting.clear();
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  ask<Name extends HostRequestName>(
    name: Name,
    params: HostRequests[Name]['params'],
  ): Promise<HostRequests[Name]['result']> {
    const id = this.#nextId++;
    const answer = new Promise<HostRequests[Name]['result']>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (result) => resolve(result as HostRequests[Name]['result']), reject });
      this.#child.send({ id, name, params });
    });
    // Whoever does not wait for the answer of a host that is to be killed must not be ended by its rejection.
    answer.catch(() => {});
    return answer;
  }

  /** As a power failure would: at once, without a word. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.kill();
    await gone;
  }
}
