import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { BenchDocument } from '../src/bench-document.ts';
import { GUEST_KINDS } from '../src/guest-kinds.ts';

const BENCH = fileURLToPath(new URL('../bin/godwit-bench.js', import.meta.url));
const BUILT = existsSync(new URL('../dist/cli.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(args: readonly string[], killWhen?: (stderr: string) => boolean): Promise<Ended> {
  return new Promise((resolve) => {
    let code: number | null = null;
    const child = execFile(process.execPath, [BENCH, ...args], (_, stdout, stderr) =>
      resolve({ code, stdout, stderr }),
    );
    child.once('exit', (status) => {
      code = status;
    });
    let stderr = '';
    let killed = false;
    child.stderr?.on('data', (text: string) => {
      stderr += text;
      if (killed || !killWhen?.(stderr)) return;
      killed = true;
      child.kill('SIGINT');
    });
  });
}

/** Whatever the machine does meanwhile: this is about the machinery, not about speed. */
const PATIENT = ['--budget-total', '60000', '--budget-downtime', '30000', '--runs', '1', '--no-warm', '--pin', 'none'];

const WORKLOADS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  arena: [['--memory', '256MiB', '--resident', '64MiB', '--workload', 'l2fwd', '--offered', '10kpps']],
  kvm: [
    ['--memory', '256MiB', '--resident', '64MiB', '--workload', 'l2fwd', '--offered', '10kpps'],
    [
      '--memory',
      '256MiB',
      '--resident',
      '64MiB',
      '--workload',
      'appmembench',
      '--working-set',
      '8MiB',
      '--page-rate',
      '20k',
    ],
    [
      '--memory',
      '256MiB',
      '--resident',
      '32MiB',
      '--workload',
      'idle',
      '--strategy',
      'stop-and-copy',
      '--link',
      'none',
    ],
  ],
  portable: [
    [
      '--memory',
      '64MiB',
      '--resident',
      '16MiB',
      '--workload',
      'appmembench',
      '--working-set',
      '2MiB',
      '--page-rate',
      '20k',
    ],
    ['--memory', '64MiB', '--resident', '16MiB', '--workload', 'idle', '--transport', 'memory'],
  ],
};

describe.skipIf(!BUILT)(`the command line${BUILT ? '' : ' (skipped: not built)'}`, () => {
  it('says what there is', async () => {
    const { code, stdout } = await bench(['migrate', '--help']);
    expect(code).toBe(0);
    for (const option of ['--guest', '--offered', '--budget-downtime', '--pin', 'Exit codes'])
      expect(stdout).toContain(option);
  });

  it.each([
    [['migrate', '--streams', '2'], 'one stream'],
    [['migrate', '--memory', 'much'], "'much' is not bytes"],
    [['migrate', '--unknown'], 'unknown option'],
    [['fly'], 'unknown command'],
  ])('ends %j with exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await bench(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
  });
});

/** A small writer that is always writing, so that what is lost, torn or stale shows. */
const WRITER = [
  ...['--memory', '128MiB', '--resident', '24MiB', '--workload', 'appmembench'],
  ...['--working-set', '4MiB', '--page-rate', '100k', '--runs', '1', '--no-warm', '--quiet', '--json', '-'],
];

for (const kind of ['kvm', 'arena', 'portable']) {
  const missing = await GUEST_KINDS[kind]?.missing();
  const why = BUILT ? missing : 'not built';
  const label = `the verdict on a ${kind} guest${why === undefined ? '' : ` (skipped: ${why})`}`;
  describe.skipIf(why !== undefined)(label, () => {
    it.each(['lost-pages', 'torn-page', 'stale-page'])('turns red by verification: %s', async (fault) => {
      const { code, stdout } = await bench(['migrate', '--guest', kind, ...WRITER, '--inject', fault]);
      expect(JSON.parse(stdout)).toMatchObject({ verified: false });
      expect(code).toBe(1);
    });

    it("turns red by the guest's own check where nothing was verified", async () => {
      const args = ['migrate', '--guest', kind, ...WRITER, '--no-verify', '--inject', 'lost-pages'];
      const { code, stdout } = await bench(args);
      expect(JSON.parse(stdout)).toMatchObject({ selfChecked: false });
      expect(code).toBe(1);
    });
  });
}

for (const [kind, runs] of Object.entries(WORKLOADS)) {
  const missing = await GUEST_KINDS[kind]?.missing();
  const why = BUILT ? missing : 'not built';
  describe.skipIf(why !== undefined)(`a ${kind} guest${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
    it.each(runs)('moves and is well: %s %s, %s %s, %s %s, %s %s', async (...args) => {
      const { code, stdout, stderr } = await bench([
        'migrate',
        '--guest',
        kind,
        ...args,
        ...PATIENT,
        '--json',
        '-',
        '--quiet',
      ]);
      expect(stderr).toBe('');
      const document = JSON.parse(stdout) as BenchDocument;
      expect(document).toMatchObject({ verified: true, selfChecked: true, budgetMet: true });
      expect(code).toBe(0);
      const [run] = document.runs;
      expect(run).toMatchObject({
        verified: true,
        mismatchedPages: 0,
        guest: { kind },
        selfCheck: { ok: true, errorCount: 0 },
        host: { placement: 'none' },
        warmed: false,
      });
      expect(run?.selfCheck.checkedCount).toBeGreaterThan(0);
      expect(document.summary.totalMs?.p50).toBe(run?.totalMs);
      if (args.includes('l2fwd')) {
        expect(run?.packets).toMatchObject({ duplicated: 0, corrupted: 0 });
        expect(run?.packets?.returned).toBeGreaterThan(0);
        expect(run?.downtimeMs).toBe(run?.packets?.longestGapMs);
      } else {
        expect(run?.packets).toBeUndefined();
        expect(run?.downtimeMs).toBe(run?.blackoutMs);
      }
    });
  });
}

const kvmMissing = BUILT ? await GUEST_KINDS.kvm?.missing() : 'not built';
describe.skipIf(kvmMissing !== undefined)(
  `a bench with kvm${kvmMissing === undefined ? '' : ` (skipped: ${kvmMissing})`}`,
  () => {
    const small = ['migrate', '--memory', '256MiB', '--resident', '32MiB', '--workload', 'idle'];

    it('prints a table and writes the document to a file; a missed budget is exit code 1', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
      const json = join(folder, 'report.json');
      const impossible = ['--budget-total', '0.001', '--runs', '1', '--no-warm', '--json', json];
      const { code, stdout } = await bench([...small, ...impossible]);
      expect(code).toBe(1);
      expect(stdout).toContain('FAIL: budget met in 0 of 1 runs, memory verified');
      const document = JSON.parse(await readFile(json, 'utf8')) as BenchDocument;
      expect(document.budgetMet).toBe(false);
      expect(document.runs[0]?.budget.missedBecause).toContain('total');
      await rm(folder, { recursive: true });
    });

    it('ends with exit code 2 for a guest that cannot be', async () => {
      const { code, stderr } = await bench([
        'migrate',
        '--memory',
        '256MiB',
        '--resident',
        '256MiB',
        '--runs',
        '1',
        '--quiet',
      ]);
      expect(code).toBe(2);
      expect(stderr).toContain('must fit into the memory');
    });

    it('warms memory, also for a guest that is smaller than that', async () => {
      const { stdout } = await bench([...small, ...PATIENT.slice(0, 6), '--json', '-', '--quiet']);
      expect((JSON.parse(stdout) as BenchDocument).runs[0]).toMatchObject({ warmed: true, verified: true });
    });

    it('clears away and ends with exit code 130 when it is interrupted', async () => {
      // A cable carries the number of the process that made it; those of other benches have a living owner.
      const abandoned = (): string[] =>
        readdirSync('/dev/shm').filter((name) => {
          const [, owner] = /^godwit-cable-(\d+)-/.exec(name) ?? [];
          return owner !== undefined && !existsSync(`/proc/${owner}`);
        });
      const before = abandoned();
      const args = [
        'migrate',
        '--memory',
        '256MiB',
        '--resident',
        '32MiB',
        '--runs',
        '1000',
        ...PATIENT.slice(0, 4),
        '--no-warm',
      ];
      const { code, stdout } = await bench(args, (stderr) => stderr.includes('run 1/1000'));
      expect(code).toBe(130);
      expect(stdout).toBe('');
      expect(abandoned().filter((name) => !before.includes(name))).toEqual([]);
    });
  },
);
