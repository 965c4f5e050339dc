// A parent that is killed: it starts the wire's process and tells where its cable is.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const wire = fork(fileURLToPath(new URL('../bin/godwit-wire.mjs', import.meta.url)), [], { execArgv: [] });
wire.on('message', ({ result }) => process.send({ processId: wire.pid, cablePath: result.cablePaths[0] }));
wire.send({
  id: 1,
  method: 'open',
  argument: {
    hostCount: 1,
    framesPerSecond: 1000,
    guestMacs: ['02:00:00:00:01:00', '02:00:00:00:01:01'],
    tickMicroseconds: 50,
    burstFrames: 256,
    ringBytes: 8192,
    graceMilliseconds: 0,
    directory: '/dev/shm',
  },
});
