import { readFile } from 'node:fs/promises';

/** The most memory a process of this machine ever held, in bytes: `VmHWM` of its status; undefined without Linux. */
export async function peakResidentBytes(processId: number): Promise<number | undefined> {
  let status: string;
  try {
    status = await readFile(`/proc/${processId}/status`, 'utf8');
  } catch {
    return undefined;
  }
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
