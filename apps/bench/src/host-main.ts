/** The process of a host: it takes commands from the bench over IPC and ends with it. */
import { isGodwitError } from '@godwit/ports';
import { Host } from './host.ts';
import type { HostMessage, HostRequest } from './host-commands.ts';

const host: Host = new Host((event) => send({ event }));

process.on('message', (message) => {
  void answer(message as HostRequest);
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C at a terminal reaches the whole group; the bench decides when this process ends.
process.on('SIGINT', () => {});

async function answer({ id, command, argument }: HostRequest): Promise<void> {
  try {
    send({ id, answer: await host.handle(command, argument) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    send({ id, failure: { name, message, ...(isGodwitError(error) && { code: error.code }) } });
  }
}

function send(message: HostMessage): void {
  if (process.connected) process.send?.(message);
}
