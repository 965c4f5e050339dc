import { GodwitError } from '@godwit/ports';
import type { EngineFindings, EngineMemory } from './scan-engine.ts';
import type { ScanTask } from './scan-task.ts';
import { engineMemory } from './scanner-memory.ts';

/** The memories that are looked at beside the JavaScript thread: nothing else may keep them alive. */
const underScan = new Set<{ readonly memory: EngineMemory }>();

/**
 * Looks at shared or native memory beside the JavaScript thread. The candidates are copied before it returns. An abort is
 * answered when nobody looks any more: at once where nobody has begun.
 */
export async function scanBeside(task: ScanTask, wantsOffsets: boolean): Promise<EngineFindings> {
  const { engine, pageSizeBytes, request, signal } = task;
  if (engine.scanBeside === undefined) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'this scanner works on the JavaScript thread only');
  }
  // What the scan was given of the memory: the memory itself may have another buffer by and by.
  const held = { memory: engineMemory(task.memory) };
  const { promise: neverBegun, reject } = rejectable();
  let whenAborted: (() => void) | undefined;
  underScan.add(held);
  try {
    const scan = engine.scanBeside(held.memory, pageSizeBytes, request, wantsOffsets, (cancel) => {
      whenAborted = () => {
        if (cancel()) reject(signal?.reason);
      };
      signal?.addEventListener('abort', whenAborted, { once: true });
    });
    const findings = await Promise.race([scan, neverBegun]);
    signal?.throwIfAborted();
    return findings;
  } finally {
    if (whenAborted !== undefined) signal?.removeEventListener('abort', whenAborted);
    underScan.delete(held);
  }
}

/** A promise that is only ever rejected. */
function rejectable(): { promise: Promise<never>; reject: (reason: unknown) => void } {
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<never>((_, rejectPromise) => {
    reject = rejectPromise;
  });
  return { promise, reject };
}
