import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { endProcess, identityOf, isAlive, startTimeOf } from './process-identity.mjs';

const startSleeper = async (script = 'setInterval(() => {}, 1000)') => {
  const child = spawn(process.execPath, ['-e', `${script}; console.log('ready')`]);
  await once(child.stdout, 'data');
  const identity = identityOf(child.pid ?? 0);
  if (identity === null) throw new Error('the sleeper is gone');
  return { child, identity };
};

describe('a remembered process', () => {
  it('is not taken for another one that has got its pid', async () => {
    const { child, identity } = await startSleeper();
    const earlier = { ...identity, startTime: identity.startTime - 1 };
    expect([isAlive(identity), isAlive(earlier)]).toEqual([true, false]);
    expect(await endProcess(earlier, [['SIGKILL', 1_000]])).toBeNull();
    expect(startTimeOf(identity.pid)).toBe(identity.startTime);
    child.kill('SIGKILL');
  });

  it('gets the next signal when it ignores the one before', async () => {
    const { identity } = await startSleeper("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)");
    const signals = [
      ['SIGTERM', 200],
      ['SIGKILL', 10_000],
    ] as const;
    expect(await endProcess(identity, signals)).toBe('SIGKILL');
    expect(isAlive(identity)).toBe(false);
  });

  it('that is gone is none', () => {
    expect(startTimeOf(2 ** 30)).toBeNull();
    expect(identityOf(2 ** 30)).toBeNull();
  });
});
