import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { native } from '../src/native.ts';

const run = promisify(execFile);
const addon = JSON.stringify(new URL('../native.cjs', import.meta.url).pathname);

/** Connects to itself, in a process without any of our TypeScript. */
const pair = `
const { NativeConnector, NativeListener } = require(${addon});
async function pair() {
  const listener = await NativeListener.listen({ host: '127.0.0.1', port: 0 }, false);
  const port = Number(listener.address.split(':').at(-1));
  const near = await new NativeConnector().connect({ host: '127.0.0.1', port }, false, 10000, 0);
  return [near, await listener.accept(0), listener];
}`;

it.skipIf(native.binding === undefined)('lets a process end when everything is closed', async () => {
  const { stdout } = await run(process.execPath, [
    '-e',
    `${pair}
    pair().then(async (open) => {
      const waiting = open[0].receive(1, 0xffffffff).catch((error) => error.message.split(':')[0]);
      for (const one of open) await one.close();
      console.log(await waiting);
    });`,
  ]);
  expect(stdout).toBe('ERR_GODWIT_CONNECTION_CLOSED\n');
});

it.skipIf(native.binding === undefined)('survives the end of a Worker whose calls are in progress', async () => {
  const { stdout } = await run(process.execPath, [
    '-e',
    `const { Worker } = require('node:worker_threads');
    const source = ${JSON.stringify(pair)} + \`
    pair().then(([near, far, listener]) => {
      near.receive(1, 0xffffffff);
      listener.accept(0);
      far.setLinkBytesPerSecond(1);
      far.send([new Uint8Array(1 << 20)], 0xffffffff);
      require('node:worker_threads').parentPort.postMessage('started');
    });\`;
    const worker = new Worker(source, { eval: true });
    worker.on('message', () => worker.terminate());
    worker.on('exit', async () => {
      ${pair}
      const [near, far] = await pair();
      await near.send([Uint8Array.of(42)], 1000);
      console.log((await far.receive(1, 1000))[0]);
      process.exit();
    });`,
  ]);
  expect(stdout).toBe('42\n');
});
