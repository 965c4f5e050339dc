import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';

/** Memory in bytes that a new guest can really have: of the host, and of the cgroup this process lives in. */
export function availableMemoryBytes(): number {
  return Math.min(hostAvailableBytes(), cgroupAvailableBytes());
}

function hostAvailableBytes(): number {
  const [, kibibytes] = /^MemAvailable:\s+(\d+) kB$/m.exec(readText('/proc/meminfo')) ?? [];
  return kibibytes === undefined ? freemem() : Number(kibibytes) * 1024;
}

/** The tightest limit between this process's cgroup (version 2) and the root, less what is in use there. */
function cgroupAvailableBytes(): number {
  const [, path] = /^0::(\/.*)$/m.exec(readText('/proc/self/cgroup')) ?? [];
  if (path === undefined) return Number.POSITIVE_INFINITY;
  let available = Number.POSITIVE_INFINITY;
  const names = path.split('/').filter((name) => name !== '');
  for (let depth = names.length; depth >= 0; depth -= 1) {
    const folder = ['/sys/fs/cgroup', ...names.slice(0, depth)].join('/');
    const limit = Number.parseInt(readText(`${folder}/memory.max`), 10);
    const current = Number.parseInt(readText(`${folder}/memory.current`), 10);
    // "max" is no number, and so no limit.
    if (Number.isFinite(limit) && Number.isFinite(current))
      available = Math.min(available, Math.max(0, limit - current));
  }
  return available;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
