import { EXIT } from './exit-code.ts';

/** An interruption by the one at the keyboard, or by whoever stops the process. */
export interface Interruption {
  readonly signal: AbortSignal;
  [Symbol.dispose](): void;
}

/**
 * Turns SIGINT and SIGTERM into an abort, so that guests, hosts and cables are cleared away. The second one ends the
 * process at once (its children are killed on the way out).
 */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new Error('interrupted'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}
