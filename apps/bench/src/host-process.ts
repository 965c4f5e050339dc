import { type ChildProcess, fork } from 'node:child_process';
import { ERROR_CODES, type ErrorCode, GodwitError, type MigrationEvent } from '@godwit/ports';
import { remember } from './child-ledger.ts';
import type { HostCommand, HostCommands, HostMessage } from './host-commands.ts';
import { programPath } from './program-path.ts';

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** A host in an operating-system process of its own. */
export class HostProcess {
  readonly name: string;
  readonly processId: number;
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #ended: Promise<void>;
  #onEvent: (event: MigrationEvent) => void = () => {};
  #nextId = 1;

  /**
   * Starts a host.
   * @param name - what it is called in messages
   * @param cpu - the processor its threads stay on, where it is not left to the scheduler; needs `taskset`
   */
  static async spawn(name: string, cpu: number | undefined): Promise<HostProcess> {
    const pinned = cpu === undefined ? {} : { execPath: 'taskset', execArgv: ['-c', String(cpu), process.execPath] };
    const child = fork(programPath('host-main'), [], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...pinned,
    });
    remember(child);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        const needs = cpu === undefined ? '' : '; pinning a host needs the command taskset';
        reject(new GodwitError('ERR_GODWIT_UNSUPPORTED', `the ${name} could not be started${needs}`, { cause }));
      });
    });
    return new HostProcess(name, child);
  }

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.processId = child.pid ?? 0;
    child.on('message', (message) => this.#take(message as HostMessage));
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting.values()) {
          reject(new GodwitError('ERR_GODWIT_PEER_FAILED', `the ${name} ended with ${signal ?? `exit code ${code}`}`));
        }
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Hears the events of the migration from this host. */
  onEvent(listener: (event: MigrationEvent) => void): void {
    this.#onEvent = listener;
  }

  /** Has the host do something. Rejects with what went wrong there, or when its process ends. */
  request<Command extends HostCommand>(
    command: Command,
    argument: HostCommands[Command]['argument'],
  ): Promise<HostCommands[Command]['answer']> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) {
        reject(new GodwitError('ERR_GODWIT_PEER_FAILED', `the ${this.name} has ended`));
        return;
      }
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#child.send({ id, command, argument });
    });
  }

  /** Ends the process, however far it is, and waits until it is gone. */
  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #take(message: HostMessage): void {
    if ('event' in message) {
      this.#onEvent(message.event);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('failure' in message) {
      const { code, name, message: text } = message.failure;
      waiting?.reject(failureOf(code, name, `${this.name}: ${text}`));
    } else {
      waiting?.resolve(message.answer);
    }
  }
}

/** The failure as it was there, as far as that says anything here. */
function failureOf(code: string | undefined, name: string, message: string): Error {
  if (code !== undefined && Object.hasOwn(ERROR_CODES, code)) return new GodwitError(code as ErrorCode, message);
  return name === 'RangeError' || name === 'TypeError' ? new RangeError(message) : new Error(message);
}
