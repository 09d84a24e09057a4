import { DomainError } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { JointTransaction } from './joint-transaction.js';

/** Runs that end when told to, and what each was given. */
function world(fails: (member: number) => Error | null = () => null, limits = { memberCountMax: 8, concurrency: 1 }) {
  const runs: number[][] = [];
  const gates: (() => void)[] = [];
  let isOpen = false;
  const shared = new JointTransaction<number, string>({
    ...limits,
    run: async (members) => {
      runs.push([...members]);
      if (!isOpen) await new Promise<void>((resolve) => gates.push(resolve));
      const [error] = members.flatMap((member) => fails(member) ?? []);
      if (error !== undefined) throw error;
      return members.map((member) => `result of ${member}`);
    },
  });
  const open = (): void => {
    isOpen = true;
    for (const pass of gates.splice(0)) pass();
  };
  return { shared, runs, open };
}

describe('a joint transaction', () => {
  it('takes along who comes while another runs, and gives each its own result', async () => {
    const { shared, runs, open } = world();
    const first = shared.join(1);
    await Promise.resolve();
    const others = [2, 3, 4].map((member) => shared.join(member));
    open();
    expect(await Promise.all([first, ...others])).toEqual([1, 2, 3, 4].map((n) => `result of ${n}`));
    expect(runs).toEqual([[1], [2, 3, 4]]);
  });

  it('is bounded in members and in runs at a time', async () => {
    const { shared, runs, open } = world(undefined, { memberCountMax: 2, concurrency: 2 });
    const all = [1, 2, 3, 4, 5].map((member) => shared.join(member));
    await Promise.resolve();
    expect(runs).toEqual([
      [1, 2],
      [3, 4],
    ]);
    open();
    await Promise.all(all);
    expect(runs.at(-1)).toEqual([5]);
  });

  it('lets one bad member fail with its own error, and all others have their result', async () => {
    const bad = new DomainError('quota_exceeded', 'too much');
    const { shared, runs, open } = world((member) => (member === 5 ? bad : null));
    open();
    const ends = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7].map((member) => shared.join(member)));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(6);
    expect(ends[4]).toEqual({ status: 'rejected', reason: bad });
    expect(runs.at(0)).toHaveLength(7);
    expect(runs).toContainEqual([5]);
  });

  it('tries nothing again when nobody knows whether it was committed', async () => {
    const gone = new DomainError('unavailable', 'the connection broke');
    const { shared, runs, open } = world(() => gone);
    open();
    const ends = await Promise.allSettled([1, 2, 3].map((member) => shared.join(member)));
    expect(ends.map((end) => end.status === 'rejected' && end.reason)).toEqual([gone, gone, gone]);
    expect(runs).toHaveLength(1);
  });
});
