import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MonitorLink } from './monitor-link.js';

const LONG_MS = 5_000;
const SHORT_MS = 50;

let folder: string;
let server: Server | null = null;
let sessions: Socket[] = [];
beforeEach(() => {
  folder = mkdtempSync('/tmp/kv-');
  sessions = [];
});
afterEach(() => {
  for (const session of sessions) session.destroy();
  server?.close();
  rmSync(folder, { recursive: true });
});

/** Greets as QEMU does and answers every command; silent: takes connections and says nothing. */
async function listen(manner: 'answering' | 'silent'): Promise<void> {
  server = createServer((session) => {
    sessions.push(session);
    session.on('error', () => undefined);
    if (manner === 'silent') return;
    session.write('{"QMP":{"version":{},"capabilities":[]}}\n');
    session.on('data', (chunk) => {
      for (const line of chunk.toString().trim().split('\n')) {
        session.write(`${JSON.stringify({ return: { running: true, status: 'running' }, id: JSON.parse(line).id })}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(join(folder, 'qmp.sock'), resolve));
}

const openLink = () => new MonitorLink(join(folder, 'qmp.sock'));

describe('the link to a monitor', () => {
  it('connects with the first command, once for many', async () => {
    await listen('answering');
    const link = openLink();
    await Promise.all([1, 2, 3].map(() => link.execute('query-status', undefined, LONG_MS)));
    expect(sessions).toHaveLength(1);
    link.close();
  });

  it('connects anew when the other side closed the connection', async () => {
    await listen('answering');
    const link = openLink();
    await link.execute('query-status', undefined, LONG_MS);
    const lost = new Promise<void>((resolve) => link.onLoss(resolve));
    sessions[0]?.destroy();
    await lost;
    expect(link.isConnected).toBe(false);
    expect(await link.execute('query-status', undefined, LONG_MS)).toEqual({ isRunning: true, status: 'running' });
    expect(sessions).toHaveLength(2);
    link.close();
  });

  it('keeps one connection waiting at a monitor that says nothing', async () => {
    await listen('silent');
    const link = openLink();
    for (const _ of [1, 2, 3]) {
      await expect(link.execute('query-status', undefined, SHORT_MS)).rejects.toMatchObject({
        code: 'deadline_exceeded',
      });
    }
    expect(sessions).toHaveLength(1);
    link.close();
  });

  it('says that the socket was removed', async () => {
    await expect(openLink().execute('query-status', undefined, LONG_MS)).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('was removed'),
    });
  });

  it('tells nobody of its own close, and takes no command afterwards', async () => {
    await listen('answering');
    const link = openLink();
    await link.execute('query-status', undefined, LONG_MS);
    let lossCount = 0;
    link.onLoss(() => {
      lossCount += 1;
    });
    const closed = link.sessionClosed;
    link.close();
    await closed;
    await expect(link.execute('query-status', undefined, LONG_MS)).rejects.toMatchObject({ code: 'host_fault' });
    expect(lossCount).toBe(0);
  });
});
