import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** The machine a report was made on. */
export function hostFacts(): Readonly<Record<string, string | number>> {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
}
