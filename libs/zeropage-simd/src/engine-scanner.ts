import type {
  AsyncScanOptions,
  PageBitmap,
  PageRuns,
  ScanOptions,
  ScanStatistics,
  ZeroPageScanner,
} from '@godwit/ports';
import { fromNativeError, GodwitError } from '@godwit/ports';
import { scanBeside } from './beside-scan.ts';
import {
  checkBitmap,
  checkPageSize,
  checkSignal,
  isUint32Array,
  pageCountOf,
  scanOptions,
  scanRequest,
} from './scan-arguments.ts';
import { type EngineStatistics, NOT_LOOKED_AT, type ScanEngine } from './scan-engine.ts';
import { engineMemory, type ScannerMemory, scannerMemory } from './scanner-memory.ts';
import { scanInSlices } from './sliced-scan.ts';

/** The scanner that works with an engine. */
export function scannerOver(engine: ScanEngine): ZeroPageScanner {
  const { name, backend, capsule } = engine;
  const takesCapsules = engine.lengthBytes !== undefined;
  const complete = (statistics: EngineStatistics, beside: boolean): ScanStatistics => ({
    backend,
    ...statistics,
    beside,
  });
  return {
    name,
    backend,
    ...(capsule === undefined ? {} : { capsule }),
    scan(memory, pageSizeBytes, into, given) {
      try {
        const scanned = scannerMemory(memory, takesCapsules);
        checkPageSize(pageSizeBytes);
        const pageCount = checkPages(engine, scanned, pageSizeBytes, into);
        if (given === undefined) {
          return engine.count(engineMemory(scanned), pageSizeBytes, into.words, undefined, false);
        }
        const options: ScanOptions = scanOptions(given);
        const request = scanRequest(options, pageCount);
        if (isCandidates(given)) {
          return engine.count(engineMemory(scanned), pageSizeBytes, into.words, request.candidates, request.areRuns);
        }
        const { firstNonZeroBytes } = options;
        const offsets = offsetsFor(firstNonZeroBytes);
        const bytes = engineMemory(scanned);
        const statistics = complete(engine.scan(bytes, pageSizeBytes, into.words, request, offsets), false);
        copyOffsets(offsets, firstNonZeroBytes);
        options.onStatistics?.(statistics);
        return statistics.zeroPageCount;
      } catch (error) {
        throw scanError(error);
      }
    },
    async scanAsync(memory, pageSizeBytes, into, given) {
      try {
        const options: AsyncScanOptions = scanOptions(given);
        const scanned = scannerMemory(memory, takesCapsules);
        checkPageSize(pageSizeBytes);
        const pageCount = checkPages(engine, scanned, pageSizeBytes, into);
        const request = scanRequest(options, pageCount);
        const { firstNonZeroBytes, signal } = options;
        checkSignal(signal);
        signal?.throwIfAborted();
        const task = { engine, memory: scanned, pageSizeBytes, pageCount, request, signal } as const;
        const wantsOffsets = firstNonZeroBytes !== undefined;
        const beside = engine.scanBeside !== undefined && scanned.staysPut;
        const scan = beside ? scanBeside(task, wantsOffsets) : scanInSlices(task, wantsOffsets);
        // The candidates, which may be the same words, are copied by now.
        into.words.fill(0);
        const { words, firstNonZeroBytes: offsets, statistics } = await scan;
        if (into.words.length !== words.length || (wantsOffsets && firstNonZeroBytes.length !== pageCount)) {
          throw new GodwitError('ERR_GODWIT_MEMORY_CHANGED', 'the result was detached or resized during the scan');
        }
        into.words.set(words);
        copyOffsets(offsets, firstNonZeroBytes);
        options.onStatistics?.(complete(statistics, beside));
        return statistics.zeroPageCount;
      } catch (error) {
        throw scanError(error);
      }
    },
  };
}

/**
 * The error of a scan. Native code checks once more what was checked here, so what it refuses was changed in between, as by
 * a getter among the options.
 */
function scanError(error: unknown): unknown {
  const known = fromNativeError(error);
  const wasRefused = known === error && error instanceof Error && 'code' in error && error.code === 'InvalidArg';
  return wasRefused ? new RangeError(error.message, { cause: error }) : known;
}

function checkPages(engine: ScanEngine, memory: ScannerMemory, pageSizeBytes: number, into: PageBitmap): number {
  const { capsule } = memory;
  const lengthBytes = capsule === undefined ? memory.bytes().byteLength : (engine.lengthBytes?.(capsule) ?? 0);
  const pageCount = pageCountOf(lengthBytes, pageSizeBytes);
  checkBitmap('result', into, pageCount);
  return pageCount;
}

function isCandidates(given: ScanOptions | PageBitmap | PageRuns): given is PageBitmap | PageRuns {
  return isUint32Array(given) || 'words' in given;
}

/** An engine fills words of 32 bits; others are copied from them. */
function offsetsFor(wanted: Uint32Array | Float64Array | undefined): Uint32Array | undefined {
  if (wanted === undefined || isUint32Array(wanted)) return wanted;
  return new Uint32Array(wanted.length).fill(NOT_LOOKED_AT);
}

function copyOffsets(from: Uint32Array | undefined, to: Uint32Array | Float64Array | undefined): void {
  if (from === undefined || to === undefined || from === to) return;
  for (let page = 0; page < from.length; page++) {
    const offset = from[page] ?? NOT_LOOKED_AT;
    if (offset !== NOT_LOOKED_AT) to[page] = offset;
  }
}
