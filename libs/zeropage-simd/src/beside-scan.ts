import { GodwitError } from '@godwit/ports';
import type { EngineFindings } from './scan-engine.ts';
import type { ScanTask } from './scan-task.ts';
import { engineMemory } from './scanner-memory.ts';

/** The memories that are looked at beside the JavaScript thread: nothing else may keep them alive. */
const underScan = new Set<ScanTask>();

/**
 * Looks at shared or native memory beside the JavaScript thread. The candidates are copied before it returns. An abort is
 * answered when nobody looks any more.
 */
export async function scanBeside(task: ScanTask, wantsOffsets: boolean): Promise<EngineFindings> {
  const { engine, memory, pageSizeBytes, request, signal } = task;
  if (engine.scanBeside === undefined) {
    throw new GodwitError('ERR_GODWIT_UNSUPPORTED', 'this scanner works on the JavaScript thread only');
  }
  let cancel: (() => void) | undefined;
  underScan.add(task);
  try {
    const scan = engine.scanBeside(engineMemory(memory), pageSizeBytes, request, wantsOffsets, (callBack) => {
      cancel = callBack;
      signal?.addEventListener('abort', callBack, { once: true });
    });
    const findings = await scan;
    signal?.throwIfAborted();
    return findings;
  } finally {
    if (cancel !== undefined) signal?.removeEventListener('abort', cancel);
    underScan.delete(task);
  }
}
