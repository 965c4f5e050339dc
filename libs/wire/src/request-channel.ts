import type { ChildProcess } from 'node:child_process';
import { fromNativeError, GodwitError } from '@godwit/ports';

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

function isReply(message: unknown): message is Reply {
  return typeof message === 'object' && message !== null && 'id' in message && typeof message.id === 'number';
}

/** Requests to a child process over its IPC channel, answered in any order. */
export class RequestChannel {
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #isEnded = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message) => {
      if (!isReply(message)) return;
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting?.resolve(message.result);
      else waiting?.reject(fromNativeError(new Error(message.error)));
    });
    this.#ended = new Promise((resolve) => {
      const end = (reason: string, cause?: unknown): void => {
        this.#isEnded = true;
        for (const waiting of this.#waiting.values()) waiting.reject(connectionClosed(reason, cause));
        this.#waiting.clear();
        resolve();
      };
      child.once('exit', (code, signal) => end(`the wire process ended with ${signal ?? `exit code ${code}`}`));
      child.once('error', (error) => end('the wire process could not be started or reached', error));
    });
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /**
   * Asks the process to do something.
   * @throws GodwitError `ERR_GODWIT_CONNECTION_CLOSED` when the process is gone or goes before it answers, or what it answers
   */
  async request(method: string, argument?: unknown): Promise<unknown> {
    if (this.#isEnded || !this.#child.connected) throw connectionClosed('the wire process has ended');
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, method, argument }, (error) => {
        if (error === null) return;
        this.#waiting.delete(id);
        reject(connectionClosed('the wire process cannot be reached', error));
      });
    });
  }
}

function connectionClosed(message: string, cause?: unknown): GodwitError {
  return new GodwitError('ERR_GODWIT_CONNECTION_CLOSED', message, cause === undefined ? undefined : { cause });
}
