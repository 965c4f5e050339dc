import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../src/two-processes.ts', import.meta.url));
const ARGUMENTS = ['--conditions=@godwit/source', '--import', 'tsx', PROGRAM];

describe("a stranger's memory moves to another process over TCP", () => {
  it.each([
    ['own-mapping', 'compare (typescript)'],
    ['shared-array-buffer', 'software-marks (typescript)'],
  ])('%s', async (kind, tracker) => {
    const { stdout } = await promisify(execFile)(process.execPath, [...ARGUMENTS, kind], { timeout: 30_000 });
    expect(JSON.parse(stdout)).toMatchObject({
      kind,
      verified: true,
      selfCheck: { ok: true, errorCount: 0 },
      backends: { pump: 'typescript', tracker },
    });
  });
});
