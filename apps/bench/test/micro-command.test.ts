import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadBenchAddon } from '../src/micro/bench-native.ts';
import type { MicroDocument } from '../src/micro/micro-document.ts';

const BENCH = fileURLToPath(new URL('../bin/godwit-bench.js', import.meta.url));
const BUILT = existsSync(new URL('../dist/cli.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface BenchOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** It is interrupted as soon as this stands on standard error. */
  readonly interruptAt?: string;
}

function bench(args: readonly string[], { environment, interruptAt }: BenchOptions = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    const child = execFile(process.execPath, [BENCH, ...args], { env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
    let said = '';
    child.stderr?.on('data', (text: string) => {
      const before = said;
      said += text;
      const isNew = interruptAt !== undefined && said.includes(interruptAt) && !before.includes(interruptAt);
      if (isNew) child.kill('SIGINT');
    });
  });
}

function missingAddon(): string | undefined {
  try {
    loadBenchAddon();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

describe.skipIf(!BUILT)(`the command micro${BUILT ? '' : ' (skipped: not built)'}`, () => {
  it('says what there is', async () => {
    const { code, stdout } = await bench(['micro', '--help']);
    expect(code).toBe(0);
    for (const word of ['zeropage', 'page-set', '--isa', '--svg', '--quick', 'Exit codes']) {
      expect(stdout).toContain(word);
    }
  });

  it.each([
    [['micro', 'nothing'], 'Allowed choices are zeropage'],
    [['micro', '--isa', 'avx3'], "'avx3' is no instruction set"],
    [['micro', '--isa', 'avx2,mmx'], "'mmx' is no instruction set"],
    [['micro', '--pin', '100000'], 'is not a whole number from 0 to'],
  ])('ends %j with exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await bench(args);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

const missing = BUILT ? missingAddon() : 'not built';
describe.skipIf(missing !== undefined)(
  `micro-benchmarks${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    it('ends with exit code 3 for an instruction set of another processor', async () => {
      const other = process.arch === 'x64' ? 'neon' : 'avx2';
      const { code, stdout, stderr } = await bench(['micro', '--isa', other]);
      expect(stderr).toContain(`has no ${other}`);
      expect(stdout).toBe('');
      expect(code).toBe(3);
    });

    it('ends with exit code 3 where the native build is missing, and takes nothing else', async () => {
      const environment = { NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere/native.node' };
      const { code, stdout, stderr } = await bench(['micro', '--quick'], { environment });
      expect(stderr).toContain('the native build of @godwit/bench is missing here');
      expect(stdout).toBe('');
      expect(code).toBe(3);
    });

    it('measures, and writes the document to standard output and nothing else there', async () => {
      const { code, stdout, stderr } = await bench(['micro', 'page-set', '--quick', '--quiet', '--json', '-']);
      expect(stderr).toBe('');
      const document = JSON.parse(stdout) as MicroDocument;
      expect(document.quick).toBe(true);
      expect(document.machine.isas.length).toBeGreaterThan(0);
      expect(document.machine.placement).toMatch(/^(measure=\d+|none)$/);
      expect(document.limits.filter(({ fastest }) => fastest)).toHaveLength(7);
      for (const limit of document.limits) {
        expect(limit).toMatchObject({ unit: 'GB/s', samples: expect.any(Number), value: expect.any(Number) });
      }
      const backends = new Set<string>(document.results.map(({ backend }) => backend));
      expect(backends).toEqual(new Set(['native', 'typescript', 'javascript']));
      for (const result of document.results) {
        expect(result).toMatchObject({ benchmark: 'page-set', name: expect.any(String), variant: expect.any(String) });
        expect(result.value).toBeGreaterThan(0);
        expect(result.p5).toBeLessThanOrEqual(result.value);
        expect(result.p95).toBeGreaterThanOrEqual(result.value);
        expect(result.shareOfLimit).toBeGreaterThan(0);
      }
      const judged = document.results.filter(({ must }) => must !== undefined);
      expect(judged).toMatchObject([{ unit: 'µs', must: 100, aim: 30, better: 'lower' }]);
      // Whatever the machine does meanwhile: the code follows from the document.
      expect(code).toBe(judged.every(({ met }) => met) ? 0 : 1);
    });

    it.skipIf(process.arch !== 'x64')('ends with exit code 3 where a package has no such kernel', async () => {
      const { code, stdout, stderr } = await bench(['micro', 'page-set', '--quick', '--isa', 'sse2']);
      expect(stderr).toContain('page-set: there is no kernel of the instruction sets asked for');
      expect(stdout).toBe('');
      expect(code).toBe(3);
    });

    it('ends with exit code 130 when it is interrupted', async () => {
      const { code, stdout } = await bench(['micro'], { interruptAt: "measuring: the machine's limits" });
      expect(stdout).toBe('');
      expect(code).toBe(130);
    });

    it('prints a table without colours and draws a figure', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
      const svg = join(folder, 'micro.svg');
      const args = ['micro', 'limits', '--quick', '--pin', 'none', '--svg', svg];
      const { code, stdout, stderr } = await bench(args, { environment: { NO_COLOR: '1' } });
      expect(stderr).toContain("measuring: the machine's limits");
      expect(stdout).toContain('pinned: none');
      expect(stdout).toContain('read 512 KiB in cache');
      expect(stdout).not.toContain('\u001b');
      expect(code).toBe(0);
      expect(await readFile(svg, 'utf8')).toContain('read 512 KiB in cache');
      await rm(folder, { recursive: true });
    });
  },
);
