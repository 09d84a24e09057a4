import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReportCounter } from './report-counter.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kv-rc-'));
  path = join(folder, 'counter.json');
});
afterEach(() => rm(folder, { recursive: true }));

describe('report numbers', () => {
  it('grow one by one and over restarts', async () => {
    const first = await ReportCounter.open(path);
    const number = first.next();
    expect(first.next()).toBe(number + 1);
    expect((await ReportCounter.open(path)).next()).toBeGreaterThan(number + 1);
  });

  it('grow although the clock was set back', async () => {
    const future = 2 ** 52;
    await writeFile(path, JSON.stringify({ reservedUpTo: future }));
    expect((await ReportCounter.open(path)).next()).toBe(future + 1);
  });

  it('grow although the state folder was lost, if a second has passed', async () => {
    const before = (await ReportCounter.open(path)).next();
    await rm(path);
    const clock = Date.now();
    await expect.poll(() => Math.floor(Date.now() / 1000) > Math.floor(clock / 1000), { timeout: 5_000 }).toBe(true);
    expect((await ReportCounter.open(path)).next()).toBeGreaterThan(before);
  });

  it('are reserved on the disk before they are used up', async () => {
    const counter = await ReportCounter.open(path);
    const { reservedUpTo } = JSON.parse(await readFile(path, 'utf8')) as { reservedUpTo: number };
    let last = 0;
    for (let count = 0; count < 2 ** 19 + 2; count += 1) last = counter.next();
    expect(last).toBeLessThan(reservedUpTo);
    await expect
      .poll(async () => (JSON.parse(await readFile(path, 'utf8')) as { reservedUpTo: number }).reservedUpTo)
      .toBe(reservedUpTo + 2 ** 20);
  });

  it('stay exact integers', async () => {
    expect(Number.isSafeInteger((await ReportCounter.open(path)).next())).toBe(true);
  });

  it('are not begun anew from a damaged file', async () => {
    await writeFile(path, 'what');
    await expect(ReportCounter.open(path)).rejects.toMatchObject({ code: 'host_fault' });
  });
});
