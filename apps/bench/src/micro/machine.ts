import { readFileSync } from 'node:fs';
import { cpus, release, type as systemName, totalmem } from 'node:os';

/** What the figures were taken on. */
export interface Machine {
  readonly cpu: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Instruction sets that were measured. */
  readonly isas: readonly string[];
  /** Bytes of the caches by level, where the system says: `{ L1d, L2, L3 }`. */
  readonly cacheBytes: Readonly<Record<string, number>>;
  /** How much memory was measured in. */
  readonly measuredBytes: number;
  /** Whether it was in huge pages. */
  readonly hugePages: boolean;
  /** Which processor the measuring thread was kept on. */
  readonly placement: string;
}

/** The machine, without what depends on the run. */
export function describeMachine(): Omit<Machine, 'isas' | 'measuredBytes' | 'hugePages' | 'placement' | 'processors'> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    system: `${systemName()} ${release()}`,
    node: process.version,
    cacheBytes: cacheBytes(),
  };
}

const CACHES = '/sys/devices/system/cpu/cpu0/cache';

function cacheBytes(): Record<string, number> {
  const caches: Record<string, number> = {};
  for (let index = 0; index < 8; index += 1) {
    const [level, type, size] = ['level', 'type', 'size'].map((name) => textOf(`${CACHES}/index${index}/${name}`));
    const [, kibibytes] = /^(\d+)K$/.exec(size ?? '') ?? [];
    if (level === undefined || kibibytes === undefined || type === 'Instruction') continue;
    caches[`L${level}${type === 'Data' ? 'd' : ''}`] = Number(kibibytes) * 1024;
  }
  return caches;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
