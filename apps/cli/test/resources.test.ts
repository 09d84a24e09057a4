import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ok, openDouble, page, problem } from './double.js';
import { AT, aFlavor, aHost, anImage, anOperation, aProject, GIB, idOf } from './shapes.js';

describe('kvorum host', () => {
  it('lists hosts with what is reserved on them', async () => {
    const { run } = await openDouble({
      'GET /v1/hosts': page(aHost(), aHost({ name: 'host-b', state: 'cordoned', accelerator: null })),
    });
    expect((await run('host list')).stdout).toMatchInlineSnapshot(`
      "NAME    STATE     AGENT      ACCELERATOR  VCPUS    MEMORY               DISK             OWN CPUS  ID
      host-a  active    connected  kvm          8 of 32  2.19 GiB of 128 GiB  20 GiB of 2 TiB  2 of 7    019a0000-0000-7000-8000-000000000004
      host-b  cordoned  connected  -            8 of 32  2.19 GiB of 128 GiB  20 GiB of 2 TiB  2 of 7    019a0000-0000-7000-8000-000000000004
      "
    `);
  });

  const enrolment = {
    id: idOf(6),
    hostName: 'host-c',
    joinToken: 'kvj1.aa.bb',
    expiresAt: AT,
    agentCommand: 'node-agent --join-file f',
  };

  it('enrols a host and shows the join token once', async () => {
    const { run, calls } = await openDouble({ 'POST /v1/host-enrolments': { status: 201, body: enrolment } });
    const { stdout, stderr } = await run('host enrol host-c --valid-for 1h --label rack=r1');
    expect(calls[0]?.body).toEqual({ hostName: 'host-c', validForSeconds: 3600, labels: { rack: 'r1' } });
    expect(stdout).toMatchInlineSnapshot(`
      "host             host-c
      valid until      2026-01-02T03:04:05.000Z
      join token       kvj1.aa.bb
      run on the host  node-agent --join-file f
      "
    `);
    expect(stderr).toBe('the token is shown only this once\n');
  });

  it('writes the join token into a new file instead, and never over another', async () => {
    const { run, folder } = await openDouble({ 'POST /v1/host-enrolments': { status: 201, body: enrolment } });
    const file = join(folder, 'c.join');
    const { stdout } = await run(`host enrol host-c --join-file ${file}`);
    expect(stdout).not.toContain('kvj1');
    expect(readFileSync(file, 'utf8')).toBe('kvj1.aa.bb\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await run(`host enrol host-c --join-file ${file} -o json`)).exitCode).toBe(2);
  });

  it('cordons with a reason, uncordons and revokes by name', async () => {
    const at = (verb: string) => `POST /v1/hosts/${idOf(4)}/${verb}`;
    const { run, calls } = await openDouble({
      'GET /v1/hosts': page(aHost()),
      [at('cordon')]: ok(aHost({ state: 'cordoned' })),
      [at('uncordon')]: ok(aHost()),
      [at('revoke')]: ok(aHost({ state: 'revoked' })),
    });
    expect((await run('host cordon host-a --reason "new memory"')).stdout).toMatch(/^state +cordoned$/m);
    expect((await run('host cordon host-a')).exitCode).toBe(0);
    expect((await run('host uncordon host-a')).exitCode).toBe(0);
    expect((await run('host revoke host-a')).exitCode).toBe(0);
    expect(calls.filter(({ call }) => call.startsWith('POST')).map(({ call, body }) => [call, body])).toEqual([
      [at('cordon'), { reason: 'new memory' }],
      [at('cordon'), {}],
      [at('uncordon'), ''],
      [at('revoke'), ''],
    ]);
  });
});

describe('kvorum flavor', () => {
  it('takes sizes with units', async () => {
    const { run, calls } = await openDouble({ 'POST /v1/flavors': { status: 201, body: aFlavor() } });
    const { stdout } = await run('flavor create small --vcpus 2 --memory 2GiB --disk 512MiB');
    expect(calls[0]?.body).toEqual({ name: 'small', vcpuCount: 2, memoryBytes: 2 * GIB, rootDiskBytes: GIB / 2 });
    expect(stdout).toContain('memory     2 GiB');
  });

  it.each(['2GB', '2G', 'two', '-1GiB', '0.3', '1e3', '9000000TiB'])('refuses the size %s', async (size) => {
    const { run, calls } = await openDouble({});
    const { exitCode, stderr } = await run(`flavor create small --vcpus 2 --memory ${size} --disk 1GiB`);
    expect([exitCode, calls]).toEqual([2, []]);
    expect(stderr).toContain(`argument '${size}' is invalid`);
  });

  it('deletes by name', async () => {
    const { run } = await openDouble({
      'GET /v1/flavors': page(aFlavor()),
      [`DELETE /v1/flavors/${idOf(2)}`]: { status: 204 },
    });
    expect(await run('flavor delete small')).toEqual({ exitCode: 0, stdout: '', stderr: 'deleted flavor small\n' });
  });

  it('says what still uses one', async () => {
    const { run } = await openDouble({
      'GET /v1/flavors': page(aFlavor()),
      [`DELETE /v1/flavors/${idOf(2)}`]: problem(409, 'in_use', '3 VMs are of this size'),
    });
    expect((await run('flavor delete small')).exitCode).toBe(4);
  });
});

describe('kvorum image upload', () => {
  const CONTENT = 'QFI\u00fb and more';
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  const contentPath = `PUT /v1/images/${idOf(3)}/content`;
  const uploading = { status: 201, body: anImage({ state: 'uploading' }) };

  it('makes the checksum, announces the image and sends the file', async () => {
    const { run, calls, folder } = await openDouble({ 'POST /v1/images': uploading, [contentPath]: ok(anImage()) });
    const file = join(folder, 'a.qcow2');
    writeFileSync(file, CONTENT);
    const { exitCode, stdout, stderr } = await run(`image upload ${file} --name debian-13 --public`);
    expect(exitCode).toBe(0);
    expect(calls.map(({ call, body }) => [call, body])).toEqual([
      ['POST /v1/images', { name: 'debian-13', isPublic: true, sha256 }],
      [contentPath, CONTENT],
    ]);
    expect(stderr).toBe('checksum: 14 B of 14 B\nupload: 14 B of 14 B\n');
    expect(stdout).toContain('state      available');
  });

  it('takes the announcement back when the content is refused', async () => {
    const { run, calls, folder } = await openDouble({
      'POST /v1/images': uploading,
      [contentPath]: problem(422, 'image_invalid', 'not a qcow2 file'),
      [`DELETE /v1/images/${idOf(3)}`]: { status: 204 },
    });
    const file = join(folder, 'a.qcow2');
    writeFileSync(file, CONTENT);
    const { exitCode, stderr } = await run(`image upload ${file} --name debian-13`);
    expect([exitCode, stderr.includes('error: not a qcow2 file (image_invalid)')]).toEqual([1, true]);
    expect(calls.at(-1)?.call).toBe(`DELETE /v1/images/${idOf(3)}`);
  });

  it.each(['uploading', 'failed'] as const)(
    'sends a larger file in parts, and goes on with what is %s',
    async (state) => {
      const parts = `/v1/images/${idOf(3)}/parts`;
      const { run, calls, folder } = await openDouble({
        'GET /v1/images': page(anImage({ state, source: { url: null, format: null, sha256: null, vm: null } })),
        [`GET ${parts}`]: ok({ items: [{ number: 1, sizeBytes: 8 }] }),
        [`PUT ${parts}/2`]: ok({ number: 2, sizeBytes: 6 }),
        [`POST /v1/images/${idOf(3)}/complete`]: ok(anImage()),
      });
      const file = join(folder, 'a.qcow2');
      writeFileSync(file, CONTENT);
      const { exitCode, stdout, stderr } = await run(`image upload ${file} --name debian-13 --part-size 8B`);
      expect([exitCode, stderr]).toEqual([0, 'checksum: 14 B of 14 B\nupload: 8 B of 14 B\nupload: 14 B of 14 B\n']);
      expect(calls.map(({ call }) => call)).toEqual([
        'GET /v1/images',
        `GET ${parts}`,
        `PUT ${parts}/2`,
        `POST /v1/images/${idOf(3)}/complete`,
      ]);
      expect(stdout).toContain('state      available');
    },
  );

  it('keeps what has arrived in parts when no more can be sent, and says how to go on', async () => {
    const parts = `/v1/images/${idOf(3)}/parts`;
    const { run, calls, folder } = await openDouble({
      'GET /v1/images': page(),
      'POST /v1/images': uploading,
      [`GET ${parts}`]: ok({ items: [] }),
      [`PUT ${parts}/1`]: problem(413, 'payload_too_large', 'the disk has no room'),
    });
    const file = join(folder, 'a.qcow2');
    writeFileSync(file, CONTENT);
    const { exitCode, stderr } = await run(`image upload ${file} --name debian-13 --part-size 8B`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('what has arrived is kept for two days: run the same command again to go on');
    expect(calls.some(({ call }) => call.startsWith('DELETE'))).toBe(false);
  });

  it('announces nothing when the file cannot be read', async () => {
    const { run, calls } = await openDouble({});
    const { exitCode, stderr } = await run('image upload /nowhere/a.qcow2 --name debian-13');
    expect([exitCode, calls]).toEqual([2, []]);
    expect(stderr).toContain('/nowhere/a.qcow2 cannot be read (ENOENT)');
  });
});

describe('other resources', () => {
  it('image import names the file and its checksum', async () => {
    const { run, calls } = await openDouble({ 'POST /v1/images/import': { status: 201, body: anImage() } });
    await run(`image import a.qcow2 --name debian-13 --sha256 ${'ab'.repeat(32)}`);
    expect(calls[0]?.body).toEqual({ name: 'debian-13', fileName: 'a.qcow2', sha256: 'ab'.repeat(32) });
  });

  it('image download names the URL and its checksum, and with --wait shows the image', async () => {
    const url = 'https://cloud.example.org/debian-13.raw';
    const operation = anOperation({
      kind: 'image.download',
      resourceKind: 'image',
      resourceId: idOf(3),
      state: 'succeeded',
    });
    const source = { url, format: 'raw', sha256: 'cd'.repeat(32) } as const;
    const { run, calls } = await openDouble({
      'POST /v1/images/download': { status: 202, body: { resourceId: idOf(3), operation } },
      [`GET /v1/operations/${idOf(7)}/watch`]: { events: [['operation', operation]] },
      [`GET /v1/images/${idOf(3)}`]: ok(anImage({ source: { ...source, vm: null } })),
    });
    const { stdout } = await run(`image download ${url} --name debian-13 --sha512 ${'cd'.repeat(64)} --wait`);
    expect(calls[0]?.body).toEqual({ name: 'debian-13', url, sha512: 'cd'.repeat(64) });
    expect(stdout).toContain(`fetched from    ${url}`);
    expect(stdout).toContain('converted from  raw');
  });

  it('operation get shows each step', async () => {
    const { run } = await openDouble({ [`GET /v1/operations/${idOf(7)}`]: ok(anOperation()) });
    expect((await run(`operation get ${idOf(7)}`)).stdout).toMatchInlineSnapshot(`
      "id                    019a0000-0000-7000-8000-000000000007
      kind                  vm.create
      vm                    019a0000-0000-7000-8000-000000000001
      state                 queued
      progress              waiting for a worker
      step 1, ensure-image  pending
      step 2, ensure-vm     pending
      may be cancelled      yes
      created by            admin
      created               2026-01-02T03:04:05.000Z
      finished              -
      time limit            2026-01-02T03:04:05.000Z
      "
    `);
  });

  it('operation get says what a queued operation waits for', async () => {
    const progress = { phase: 'waits for capacity: no host has 4 GiB', doneBytes: null, totalBytes: null };
    const waiting = anOperation({ progress: { ...progress, bytesPerSecond: null, etaSeconds: null } });
    const { run } = await openDouble({ [`GET /v1/operations/${idOf(7)}`]: ok(waiting) });
    expect((await run(`operation get ${idOf(7)}`)).stdout).toContain(progress.phase);
  });

  it.each(['cancel', 'resume', 'unwind'])('operation %s', async (verb) => {
    const { run, calls } = await openDouble({ [`POST /v1/operations/${idOf(7)}/${verb}`]: ok(anOperation()) });
    expect((await run(`operation ${verb} ${idOf(7)}`)).exitCode).toBe(0);
    expect(calls.length).toBe(1);
  });

  it('event watch prints one line per event until Ctrl-C, which is no failure', async () => {
    const event = {
      id: '5',
      type: 'vm.state',
      projectId: null,
      resourceKind: 'vm',
      resourceId: idOf(1),
      at: AT,
      data: { state: 'running' },
    };
    const { run, calls } = await openDouble({ 'GET /v1/events': { events: [['vm.state', event]], isOpen: true } });
    const { exitCode, stdout } = await run('event watch --type vm -o json', { interruptAfter: '\n' });
    expect([exitCode, stdout]).toEqual([0, `${JSON.stringify(event)}\n`]);
    expect(calls[0]?.query).toEqual({ type: 'vm' });
  });

  it('project list shows use and quota', async () => {
    const { run } = await openDouble({ 'GET /v1/projects': page(aProject()) });
    expect((await run('project list')).stdout).toMatchInlineSnapshot(`
      "NAME     VMS      VCPUS    MEMORY           DISK             ID
      default  1 of 10  2 of 40  2 GiB of 64 GiB  20 GiB of 2 TiB  019a0000-0000-7000-8000-000000000009
      "
    `);
  });

  it('token create can keep the secret off the screen', async () => {
    const token = {
      id: idOf(8),
      name: 'ci',
      role: 'operator',
      projectId: idOf(9),
      expiresAt: AT,
      revokedAt: null,
      createdAt: AT,
    };
    const { run, calls, folder } = await openDouble({
      'GET /v1/projects': page(aProject()),
      'POST /v1/tokens': { status: 201, body: { ...token, secret: 'kvt1_new' } },
    });
    const file = join(folder, 'ci.token');
    const { stdout } = await run(
      `token create ci --role operator --project default --valid-for 7d --secret-file ${file} -o json`,
    );
    expect(JSON.parse(stdout)).toEqual(token);
    expect(readFileSync(file, 'utf8')).toBe('kvt1_new\n');
    expect(calls.at(-1)?.body).toEqual({ name: 'ci', role: 'operator', projectId: idOf(9), validForSeconds: 604_800 });
  });
});
