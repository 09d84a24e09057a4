import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildApp } from '@kvorum/api';
import { closeControlPlane, createFirstToken, openControlPlane } from '@kvorum/control-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../tests/support/database.js';
import { type Run, type RunOptions, runKvorum } from './double.js';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** The command line against the real API on a real database. No hosts: what needs one is for the end-to-end tests. */
describe('kvorum on a real control plane', () => {
  let folder: string;
  let close: () => Promise<void>;
  let kvorum: (args: string, options?: RunOptions) => Promise<Run>;
  const jsonOf = async (args: string) => {
    const { exitCode, stdout, stderr } = await kvorum(`${args} -o json`);
    expect([exitCode, stderr]).toEqual([0, '']);
    return JSON.parse(stdout);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kvorum-cli-site-'));
    const database = await createTestDatabase();
    const cp = await openControlPlane({
      databaseUrl: database.url,
      dataDir: join(folder, 'data'),
      importDir: join(folder, 'data', 'import'),
      gatewayAddress: '127.0.0.1:1',
      enrolAddress: '127.0.0.1:1',
      log: SILENT,
      poolSize: 8,
    });
    const app = await buildApp({ cp });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const tokenFile = join(folder, 'admin.token');
    writeFileSync(tokenFile, (await createFirstToken(cp))?.secret ?? '');
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    kvorum = (args, options) => runKvorum({ url, tokenFile, loginFile: join(folder, 'config.json') }, args, options);
    close = async () => {
      await app.close();
      await closeControlPlane(cp);
      await database.drop();
    };
  });
  afterAll(async () => {
    await close();
    rmSync(folder, { recursive: true });
  });

  it('says who we are', async () => {
    expect((await kvorum('whoami')).stdout).toMatch(/^role +admin$/m);
  });

  it('makes a flavor once, and says why not twice', async () => {
    const made = await jsonOf('flavor create small --vcpus 1 --memory 64MiB --disk 16MiB');
    expect(made).toMatchObject({ name: 'small', memoryBytes: 64 * 2 ** 20 });
    const again = await kvorum('flavor create small --vcpus 1 --memory 64MiB --disk 16MiB');
    expect([again.exitCode, again.stderr.includes('(already_exists)')]).toEqual([4, true]);
    expect((await kvorum('flavor list')).stdout).toContain('small');
  });

  it('names the field that is wrong', async () => {
    const { exitCode, stderr } = await kvorum('flavor create Small_1 --vcpus 1 --memory 64MiB --disk 16MiB');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('name');
    expect(stderr).toContain('must be 1 to 63 characters');
    expect(stderr).toMatch(/^request: /m);
  });

  it('uploads a disk, and takes back what is none', async () => {
    const disk = join(folder, 'disk.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '16M']);
    expect((await kvorum(`image upload ${disk} --name empty`)).stdout).toMatch(/^state +available$/m);
    const text = join(folder, 'text.qcow2');
    writeFileSync(text, 'not a disk');
    const refused = await kvorum(`image upload ${text} --name text`);
    expect([refused.exitCode, refused.stderr.includes('(image_invalid)')]).toEqual([1, true]);
    expect((await jsonOf('image list')).items.map(({ name }: { name: string }) => name)).toEqual(['empty']);
  });

  it('is told at once, and why, that there is no room', async () => {
    const { exitCode, stderr } = await kvorum('vm create web-1 --flavor small --image empty --wait');
    expect(exitCode).toBe(4);
    expect(stderr).toContain('no host is enrolled');
    expect(stderr).toContain('(no_capacity)');
  });

  it('lets a host join, with the token in a file', async () => {
    const file = join(folder, 'a.join');
    expect((await kvorum(`host enrol host-a --join-file ${file}`)).exitCode).toBe(0);
    expect((await kvorum('host list')).stdout).toMatch(/^NAME/);
    expect((await kvorum('host get host-a')).exitCode).toBe(3);
  });

  it('makes a token, and revokes it by name', async () => {
    await jsonOf('token create ci --role viewer --valid-for 1h');
    expect((await jsonOf('token revoke ci')).revokedAt).not.toBeNull();
    expect((await kvorum('token revoke ci')).exitCode).toBe(3);
  });

  it('sets the quota of a project by name', async () => {
    const project = await jsonOf('project set-quota default --vms 3 --vcpus 4 --memory 1GiB --disk 1GiB');
    expect(project).toMatchObject({ name: 'default', quota: { vmCount: 3, memoryBytes: 2 ** 30 } });
  });

  it('follows events from the first one on', async () => {
    const { exitCode, stdout } = await kvorum('event watch --type image --after 0-0 -o json', { interruptAfter: '\n' });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({ resourceKind: 'image' });
  });
});
