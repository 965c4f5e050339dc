import type { ScanEngine, ScanRequest } from './scan-engine.ts';
import type { ScannerMemory } from './scanner-memory.ts';

/** A scan that takes its time, checked. */
export interface ScanTask {
  readonly engine: ScanEngine;
  readonly memory: ScannerMemory;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  readonly request: ScanRequest;
  readonly signal: AbortSignal | undefined;
}
