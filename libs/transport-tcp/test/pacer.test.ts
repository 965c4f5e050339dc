import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Pacer } from '../src/pacer.ts';

const TEN_GIGABIT = 1_250_000_000;

/** Sends on a virtual clock; each wait ends `lateMs` too late. Gives the time it took and the furthest run ahead. */
function send(
  pacer: Pacer,
  startMs: number,
  rate: number,
  bytes: number,
  lateMs = 0,
): { endMs: number; ahead: number } {
  let [nowMs, sent, ahead] = [startMs, 0, 0];
  pacer.begin(nowMs, rate);
  while (sent < bytes) {
    const grant = pacer.grant(nowMs, rate, bytes - sent);
    if ('waitMs' in grant) {
      expect(grant.waitMs).toBeGreaterThan(0);
      nowMs += grant.waitMs + lateMs;
    } else {
      expect(grant.bytes).toBeGreaterThan(0);
      pacer.sent(grant.bytes);
      sent += grant.bytes;
      ahead = Math.max(ahead, sent - (rate * (nowMs - startMs)) / 1000);
    }
  }
  return { endMs: nowMs, ahead };
}

it('takes the time the link needs, less its queue, and never runs further ahead', () => {
  const rates = fc.integer({ min: 1_000_000, max: 12_500_000_000 });
  fc.assert(
    fc.property(rates, fc.integer({ min: 1, max: 50_000_000 }), fc.nat(1_000_000), (rate, bytes, startMs) => {
      const { endMs, ahead } = send(new Pacer(), startMs, rate, bytes);
      const queueBytes = Pacer.queueBytes(rate);
      const shortestMs = (Math.max(0, bytes - queueBytes) / rate) * 1000;
      expect(endMs - startMs).toBeGreaterThanOrEqual(shortestMs - 0.001);
      expect(endMs - startMs).toBeLessThanOrEqual((bytes / rate) * 1000 + 0.01);
      expect(ahead).toBeLessThanOrEqual(queueBytes + 1);
    }),
    { numRuns: 50 },
  );
});

it('lets a small message pass at once when the link is idle', () => {
  const pacer = new Pacer();
  const { endMs } = send(pacer, 0, TEN_GIGABIT, 10_000_000);
  pacer.begin(endMs + 1, TEN_GIGABIT);
  expect(pacer.grant(endMs + 1, TEN_GIGABIT, 64)).toEqual({ bytes: 64 });
});

it('keeps the rate when it is woken late, also over many small sends', () => {
  const whole = send(new Pacer(), 0, TEN_GIGABIT, 64 << 20).endMs;
  expect(Math.abs(send(new Pacer(), 0, TEN_GIGABIT, 64 << 20, 0.3).endMs - whole)).toBeLessThan(0.5);
  const pacer = new Pacer();
  let nowMs = 0;
  for (let count = 0; count < 1024; count++) nowMs = send(pacer, nowMs, TEN_GIGABIT, 64 << 10, 0.08).endMs;
  expect(Math.abs(nowMs - whole)).toBeLessThan(0.5);
});

it('does not save up the time the link was idle', () => {
  const pacer = new Pacer();
  pacer.begin(0, TEN_GIGABIT);
  const { endMs, ahead } = send(pacer, 3_600_000, TEN_GIGABIT, 64 << 20);
  expect(endMs - 3_600_000).toBeGreaterThan(53);
  expect(ahead).toBeLessThanOrEqual(Pacer.queueBytes(TEN_GIGABIT) + 1);
});
