import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../src/scenario.ts';
import { addScenarioOptions, type ScenarioFlags, scenarioFrom } from '../src/scenario-options.ts';
import { UsageError } from '../src/usage-error.ts';

function scenario(...args: string[]): Scenario {
  const command = addScenarioOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return scenarioFrom(command.parse(args, { from: 'user' }).opts<ScenarioFlags>());
}

describe('the options of a scenario', () => {
  it('default to the forwarder of the main job', () => {
    expect(scenario('--pin', 'none')).toEqual({
      guestKind: 'kvm',
      guest: {
        memoryBytes: 8 * 2 ** 30,
        residentBytes: 2 ** 28,
        content: 'random',
        seed: 1,
        workload: { name: 'l2fwd' },
        vcpuCount: 1,
      },
      offeredFramesPerSecond: 100_000,
      strategy: 'pre-copy',
      transport: 'tcp',
      linkBytesPerSecond: 1.25e9,
      xbzrle: false,
      xbzrleCacheBytes: 2 ** 26,
      budget: { totalMs: 2000, downtimeMs: 10 },
      runs: 5,
      repeatsMax: 3,
      verify: true,
      warm: true,
      placement: {},
    });
  });

  it('understand a writer', () => {
    const rest = ['--working-set', '32MiB', '--pattern', 'zipf', '--memory', '1GiB'];
    expect(scenario('--workload', 'appmembench', '--page-rate', '8M', ...rest).guest.workload).toEqual({
      name: 'appmembench',
      workingSetBytes: 2 ** 25,
      pagesPerSecond: 8e6,
      pattern: 'zipf',
    });
    expect(scenario('--workload', 'appmembench', '--dirty-rate', '1GB/s', ...rest).guest.workload).toMatchObject({
      bytesPerSecond: 1e9,
    });
  });

  it('understand switches', () => {
    const seen = scenario('--link', 'none', '--no-verify', '--no-warm', '--xbzrle', 'on', '--seed', '7', '--runs', '2');
    expect(seen).toMatchObject({ verify: false, warm: false, xbzrle: true, runs: 2, guest: { seed: 7 } });
    expect(seen.linkBytesPerSecond).toBeUndefined();
  });

  it('choose defaults that fit the memory and the kind of guest', () => {
    expect(scenario('--guest', 'portable', '--memory', '64MiB').guest).toMatchObject({
      residentBytes: 2 ** 25,
      workload: { name: 'idle' },
    });
  });

  it.each([
    [['--streams', '2']],
    [['--delay', '5.5ms']],
    [['--guest', 'xen']],
    [['--strategy', 'post-copy']],
    [['--transport', 'pigeon']],
    [['--transport', 'memory', '--link', '10Gbps']],
    [['--memory', '1GiB', '--resident', '2GiB']],
    [['--workload', 'idle', '--offered', '1kpps']],
    [['--offered', '0pps']],
    [['--working-set', '1MiB']],
    [['--workload', 'idle', '--pattern', 'zipf']],
    [['--workload', 'appmembench', '--page-rate', '1M', '--dirty-rate', '1GB/s']],
    [['--workload', 'appmembench', '--memory', '64MiB', '--working-set', '1GiB']],
    [['--guest', 'portable', '--memory', '8GiB']],
    [['--guest', 'portable', '--memory', '64MiB', '--workload', 'l2fwd']],
  ])('refuse %j, saying why', (args) => {
    expect(() => scenario(...args)).toThrow(UsageError);
  });

  it.each([
    [['--memory', 'much']],
    [['--runs', '0']],
    [['--content', 'jpeg']],
    [['--workload', 'doom']],
    [['--pin', 'vcpu=999']],
    [['--frobnicate']],
  ])('refuse %j', (args) => {
    expect(() => scenario(...args)).toThrow();
  });
});
