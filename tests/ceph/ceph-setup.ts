import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

export interface TestCeph {
  readonly confPath: string;
  readonly keyringPath: string;
  /** Of one who may do anything. */
  readonly adminKeyringPath: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    ceph: TestCeph;
  }
}

/** With the packages to be installed. */
const START_TIMEOUT_MS = 600_000;
const END_MS = 5_000;
const script = new URL('start-ceph.mjs', import.meta.url).pathname;

/** One Ceph for all files of a run, which ends with it; or that which start-ceph.mjs has brought up in the folder KVORUM_TEST_CEPH. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { KVORUM_TEST_CEPH: up } = process.env;
  if (up !== undefined) {
    const [confPath, keyringPath] = [join(up, 'ceph.conf'), join(up, 'ceph.client.kvorum.keyring')];
    project.provide('ceph', { confPath, keyringPath, adminKeyringPath: join(up, 'admin.keyring') });
    return async () => {};
  }
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-ceph-')));
  chmodSync(folder, 0o711);
  const { stdout } = await promisify(execFile)(process.execPath, [script, folder], { timeout: START_TIMEOUT_MS });
  const { pids, ...ceph } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as TestCeph & { pids: number[] };
  project.provide('ceph', { ...ceph, adminKeyringPath: join(folder, 'admin.keyring') });
  return async () => {
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    await sleep(END_MS);
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
