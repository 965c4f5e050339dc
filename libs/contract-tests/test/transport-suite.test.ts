import { describe, expect, it } from 'vitest';
import { failingCases } from '../src/case-runner.ts';
import { type TransportFixture, transportCases, transportSuite } from '../src/transport-suite.ts';
import { type Flaw, flaws, twinTransport } from './transport-twin.ts';

function fixture(flaw: Flaw, patienceMs = 20_000): TransportFixture {
  return { transport: twinTransport(flaw), listenAddress: 'twin://any', patienceMs };
}

transportSuite('a sound twin', () => fixture('none'));

describe('the transport suite', () => {
  const caught = new Set<string>();

  it.each(flaws.filter((flaw) => flaw !== 'none'))('catches a twin that %s', async (flaw) => {
    const failing = await failingCases(transportCases, () => fixture(flaw, 300));
    expect(failing).not.toEqual([]);
    for (const name of failing) caught.add(name);
  });

  it('has no case that nothing can fail', () => {
    expect(transportCases.map(({ name }) => name).filter((name) => !caught.has(name))).toEqual([]);
  });
});
