import { expect, it } from 'vitest';
import { AcceptQueue } from '../src/accept-queue.ts';

it('brings arrivals and calls together in their order', async () => {
  const queue = new AcceptQueue<number>();
  const early = [queue.accept(undefined), queue.accept(undefined)];
  expect(queue.wanted).toBe(true);
  for (const connection of [1, 2, 3, 4]) expect(queue.offer(connection)).toBe(true);
  expect(queue.wanted).toBe(false);
  expect(await Promise.all([...early, queue.accept(undefined), queue.accept(undefined)])).toEqual([1, 2, 3, 4]);
});

it('gives the connection of an aborted call to the next one', async () => {
  const queue = new AcceptQueue<number>();
  const aborter = new AbortController();
  const calls = Promise.allSettled([queue.accept(aborter.signal), queue.accept(undefined)]);
  aborter.abort('enough');
  queue.offer(1);
  expect(await calls).toEqual([
    { status: 'rejected', reason: 'enough' },
    { status: 'fulfilled', value: 1 },
  ]);
});

it('gives back what nobody took when it ends', async () => {
  const queue = new AcceptQueue<number>();
  queue.offer(1);
  expect(queue.end('over')).toEqual([1]);
  expect(queue.offer(2)).toBe(false);
  await expect(queue.accept(undefined)).rejects.toBe('over');
});
