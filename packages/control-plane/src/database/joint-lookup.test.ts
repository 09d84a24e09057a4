import { DomainError } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { JointLookup } from './joint-lookup.js';

describe('a lookup that requests share', () => {
  it('reads those asked for at the same time by one statement, each id once, and finds null for what is not there', async () => {
    const read: (readonly string[])[] = [];
    const lookup = new JointLookup(async (ids) => {
      read.push(ids);
      return new Map(ids.filter((id) => id !== 'gone').map((id) => [id, `row of ${id}`]));
    });
    const found = await Promise.all(['a', 'b', 'a', 'gone'].map((id) => lookup.find(id)));
    expect(found).toEqual(['row of a', 'row of b', 'row of a', null]);
    expect(read).toEqual([['a', 'b', 'gone']]);
  });

  it('never answers from before the question: who asks during a read waits for the next one', async () => {
    const reads: (() => void)[] = [];
    let state = 'old';
    const lookup = new JointLookup(async (ids) => {
      const rows = new Map(ids.map((id) => [id, state]));
      await new Promise<void>((resolve) => reads.push(resolve));
      return rows;
    });
    const first = lookup.find('a');
    await expect.poll(() => reads.length).toBe(1);
    state = 'new';
    const second = lookup.find('a');
    reads[0]?.();
    expect(await first).toBe('old');
    await expect.poll(() => reads.length).toBe(2);
    reads[1]?.();
    expect(await second).toBe('new');
  });

  it('tells all who share it when the database is away, after one attempt', async () => {
    let attemptCount = 0;
    const lookup = new JointLookup(() => {
      attemptCount += 1;
      return Promise.reject(new DomainError('unavailable', 'the database is away'));
    });
    const ends = await Promise.allSettled(['a', 'b', 'c'].map((id) => lookup.find(id)));
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(attemptCount).toBe(1);
  });
});
