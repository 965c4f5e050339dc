#!/usr/bin/env node
/**
 * The process of the outside world. It takes requests and gives answers, one JSON value each:
 *
 *   {"id": 1, "method": "open", "argument": {options}}   ->  {"id": 1, "result": {"cablePaths": [...]}}
 *   {"id": 2, "method": "beginWindow"}                   ->  {"id": 2, "result": <begin in ns>}
 *   {"id": 3, "method": "endWindow"}                     ->  {"id": 3, "result": {report}}
 *   {"id": 4, "method": "standing"}                      ->  {"id": 4, "result": {totals, locations}}
 *   {"id": 5, "method": "setRate", "argument": 100000}   ->  {"id": 5, "result": null}
 *
 * or {"id", "error": message}. Started by Node's `fork` it speaks over the IPC channel, else by lines over its standard
 * input and output. When the other end goes away it removes its cables and ends.
 *
 * Plain JavaScript over the native module, so that it starts the same from the sources as from a build.
 */
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

let world;

function running() {
  if (world === undefined) throw new Error('ERR_GODWIT_CLOSED: the world is not open');
  return world;
}

const methods = {
  open(options) {
    if (world !== undefined) throw new TypeError('the world is open already');
    let native;
    try {
      native = createRequire(import.meta.url)('../native.cjs');
    } catch (error) {
      throw new Error(`ERR_GODWIT_UNSUPPORTED: the native module of @godwit/wire is missing (${error.message})`);
    }
    const opened = new native.World(options);
    try {
      opened.start();
    } catch (error) {
      opened.stop();
      throw error;
    }
    world = opened;
    return { cablePaths: world.cablePaths };
  },
  beginWindow: () => running().beginWindow(),
  endWindow: () => running().endWindow(),
  standing: () => running().standing(),
  setRate: (framesPerSecond) => running().setRate(framesPerSecond),
};

async function answer(request, send) {
  const { id, method, argument } = request;
  try {
    if (!Object.hasOwn(methods, method)) throw new TypeError(`no such method: ${method}`);
    send({ id, result: (await methods[method](argument)) ?? null });
  } catch (error) {
    send({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

function end() {
  world?.stop();
  process.exit(0);
}

if (process.send !== undefined) {
  process.on('message', (request) =>
    answer(request, (reply) => {
      if (process.connected) process.send(reply);
    }),
  );
  process.on('disconnect', end);
  // A Ctrl-C at the terminal reaches the whole group; the parent decides when this process ends.
  process.on('SIGINT', () => {});
} else if (process.argv.length > 2) {
  process.stdout.write('godwit-wire: requests as lines of JSON on standard input, answers on standard output\n');
  process.exit(process.argv[2] === '--help' ? 0 : 2);
} else {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const send = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);
    try {
      answer(JSON.parse(line) ?? {}, send);
    } catch (error) {
      send({ id: null, error: error.message });
    }
  });
  lines.on('close', end);
  process.on('SIGINT', end);
}
process.on('SIGTERM', end);
