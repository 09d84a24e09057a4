import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { deferred } from './deferred.js';
import { endProcess } from './end-process.js';
import { ExitWatch } from './exit-watch.js';
import { endedOf, Pidfd } from './pidfd.js';
import { findProcesses, identityOf, isSameProcess, parseStartTime, readCommandLine } from './process-identity.js';

const startSleep = (): { pid: number; kill: () => void } => {
  const child = spawn('sleep', ['60']);
  return { pid: child.pid as number, kill: () => child.kill('SIGKILL') };
};

describe('watching processes', () => {
  it('tells once of each that ends, and of no other', async () => {
    const [first, second] = [startSleep(), startSleep()];
    const watch = new ExitWatch();
    const ended: string[] = [];
    const firstEnded = deferred<void>();
    watch.add(Pidfd.open(first.pid) as Pidfd, () => {
      ended.push('first');
      firstEnded.resolve();
    });
    const stop = watch.add(Pidfd.open(second.pid) as Pidfd, () => ended.push('second'));
    first.kill();
    watch.hurry();
    await firstEnded.promise;
    stop();
    second.kill();
    watch.hurry();
    expect(ended).toEqual(['first']);
  });

  it('a closed pidfd is neither polled nor killed', async () => {
    const process = startSleep();
    const pidfd = Pidfd.open(process.pid) as Pidfd;
    pidfd.close();
    pidfd.kill();
    expect(endedOf([pidfd])).toEqual([]);
    expect(identityOf(process.pid)).not.toBeNull();
    process.kill();
  });

  it('a pid without a process has no pidfd', () => {
    expect(Pidfd.open(4_194_304)).toBeNull();
  });
});

describe('the identity of a process', () => {
  it.each<[string, string, string | null]>([
    ['a plain name', `1 (qemu) S ${'0 '.repeat(18)}777 0`, '777'],
    ['a name with spaces and parentheses', `1 (a) R (b) S ${'0 '.repeat(18)}777 0`, '777'],
    ['a zombie', `1 (qemu) Z ${'0 '.repeat(18)}777 0`, null],
    ['a line cut off', '1 (qemu) S 0', null],
  ])('is read from the stat line of %s', (_what, stat, startTime) => {
    expect(parseStartTime(stat)).toBe(startTime);
  });

  it('differs in another boot and in another start time', () => {
    const identity = identityOf(process.pid);
    if (identity === null) throw new Error('we run');
    expect(isSameProcess(identity)).toBe(true);
    expect(isSameProcess({ ...identity, bootId: 'x' })).toBe(false);
    expect(isSameProcess({ ...identity, startTime: '1' })).toBe(false);
  });

  it('is found by its arguments', () => {
    const own = readCommandLine(process.pid);
    expect(findProcesses((commandLine) => commandLine.join() === own.join())).toContain(process.pid);
  });
});

describe('ending a process', () => {
  it('spares one whose arguments are not those meant', async () => {
    const process = startSleep();
    await endProcess(process.pid, () => false);
    expect(identityOf(process.pid)).not.toBeNull();
    await endProcess(process.pid, (commandLine) => commandLine.includes('60'));
    expect(identityOf(process.pid)).toBeNull();
  });
});
