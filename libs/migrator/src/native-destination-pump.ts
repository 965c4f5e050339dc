import type { Capsule } from '@godwit/ports';
import type { DestinationPumpParts } from './destination-pump-parts.ts';
import { native } from './native.ts';
import { required, typed } from './native-call.ts';
import type { DestinationPump } from './pump.ts';

/** Whether every part offers what the native pump drives; if not, what is missing. */
export function nativeDestinationMissing(
  parts: Pick<DestinationPumpParts, 'guest' | 'decoder' | 'link'>,
): string | undefined {
  if (native.addon === undefined) return `the native pump (${native.missingBecause})`;
  if (!parts.guest.memory.capsule || !parts.guest.execution) return 'a native capsule of the guest';
  if (parts.decoder && !parts.decoder.capsule) return 'a native capsule of the codec';
  if (!parts.link.connection.capsule) return 'a native capsule of the transport';
  return undefined;
}

/** Drives the native pump. The parts were checked with `nativeDestinationMissing`. */
export function nativeDestinationPump(parts: DestinationPumpParts): DestinationPump {
  const { guest, decoder, link } = parts;
  const addon = required(native.addon);
  const pump = new addon.NativeDestinationPump({
    memory: required(guest.memory.capsule),
    execution: required(guest.execution),
    ...(decoder && { decoder: required(decoder.capsule) }),
    channel: required<Capsule<'channel'>>(link.connection.capsule),
    framesSent: link.framesSent,
    framesReceived: link.framesReceived,
    timeoutMs: link.timeoutMs,
    verify: parts.verify,
    epoch: parts.epoch,
    session: parts.session,
    ...(parts.journalPath !== undefined && { journalPath: parts.journalPath }),
    ...(parts.faults.keepStalePage !== undefined && { keepStalePage: parts.faults.keepStalePage }),
  });
  return {
    backend: 'native',
    run: () => typed(pump.run()),
    finish: async () => (await typed(pump.finish())) ?? undefined,
    renounce: (epoch) => pump.renounce(epoch),
    close: () => pump.close(),
    interrupt: () => pump.interrupt(),
    relink: (next) => pump.relink(required(next.connection.capsule), next.framesSent, next.framesReceived),
  };
}
