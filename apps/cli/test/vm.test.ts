import { describe, expect, it } from 'vitest';
import { ok, openDouble, page, problem, type Reply } from './double.js';
import { aFlavor, aHost, anImage, anOperation, aProject, aStep, aVm, GIB, idOf } from './shapes.js';

const ACCEPTED: Reply = { status: 202, body: { resourceId: idOf(1), operation: anOperation() } };
const NAMES = {
  'GET /v1/vms': page(aVm()),
  'GET /v1/flavors': page(aFlavor()),
  'GET /v1/images': page(anImage()),
  'GET /v1/projects': page(aProject()),
  'GET /v1/hosts': page(aHost()),
};
const WATCH = `GET /v1/operations/${idOf(7)}/watch`;
const done = aStep(0, 'ensure-image', { state: 'done', attempt: 1 });
const progress = { phase: 'fetching', doneBytes: GIB / 4, totalBytes: GIB / 2, bytesPerSecond: 2 ** 20, etaSeconds: 9 };
const STREAM: Reply = {
  events: [
    ['operation', anOperation()],
    [
      'operation',
      anOperation({
        state: 'running',
        steps: [aStep(0, 'ensure-image', { state: 'running', attempt: 1 }), aStep(1, 'ensure-vm')],
      }),
    ],
    ['progress', progress],
    [
      'operation',
      anOperation({ state: 'running', steps: [done, aStep(1, 'ensure-vm', { state: 'running', attempt: 2 })] }),
    ],
    [
      'operation',
      anOperation({ state: 'succeeded', steps: [done, aStep(1, 'ensure-vm', { state: 'done', attempt: 2 })] }),
    ],
  ],
};

describe('kvorum vm create', () => {
  const routes = { ...NAMES, 'POST /v1/vms': ACCEPTED, [WATCH]: STREAM, [`GET /v1/vms/${idOf(1)}`]: ok(aVm()) };

  it('looks names up and sends exactly what was given', async () => {
    const { run, calls } = await openDouble(routes);
    const { exitCode } = await run(
      'vm create web-1 --flavor small --image debian-13 --project default --host host-a --root-disk 20GiB --accelerator kvm --cpu-policy dedicated --smt-policy isolate --huge-pages 2MiB --numa-nodes 2 --lock-memory --preallocate --balloon-minimum 1GiB --balloon-shares 500 --no-start --label tier=web --label a=b=c --idempotency-key k1',
    );
    expect(exitCode).toBe(0);
    const create = calls.find(({ call }) => call === 'POST /v1/vms');
    expect(create?.headers['idempotency-key']).toBe('k1');
    expect(create?.body).toEqual({
      name: 'web-1',
      flavorId: idOf(2),
      imageId: idOf(3),
      projectId: idOf(9),
      hostId: idOf(4),
      rootDiskBytes: 20 * GIB,
      accelerator: 'kvm',
      hardware: {
        cpuPolicy: { policy: 'dedicated', smt: 'isolate' },
        memory: { hugePageBytes: 2_097_152, numaNodeCount: 2, isLocked: true, isPreallocated: true },
      },
      balloon: { minimumBytes: GIB, shares: 500 },
      start: false,
      labels: { tier: 'web', a: 'b=c' },
    });
  });

  it.each<[string, object]>([
    ['--firmware uefi', { kind: 'uefi' }],
    ['--secure-boot', { kind: 'uefi', secureBoot: true }],
    ['--secure-boot --firmware bios', { kind: 'bios', secureBoot: true }],
    ['--tpm', { tpm: '2.0' }],
    ['--watchdog reset', { watchdog: { action: 'reset' } }],
  ])('sends what was said of the firmware: %s', async (flags, firmware) => {
    const { run, calls } = await openDouble(routes);
    await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)} ${flags}`);
    expect(calls[0]?.body).toMatchObject({ hardware: { firmware } });
  });

  it('makes it with disks, cards and drives', async () => {
    const { run, calls } = await openDouble(routes);
    const devices =
      '--disk 10GiB --disk 20GiB,serial=logs,iops=100,rate=50MiB --nic isolated --nic isolated,mac=02:00:00:00:00:07';
    const { exitCode } = await run(
      `vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)} ${devices} --cdrom debian-13 --cdrom ${idOf(3)} --max-vcpus 4`,
    );
    expect(exitCode).toBe(0);
    expect(calls.find(({ call }) => call === 'POST /v1/vms')?.body).toMatchObject({
      hardware: {
        devices: {
          maxVcpuCount: 4,
          dataDisks: [
            { sizeBytes: 10 * GIB },
            { sizeBytes: 20 * GIB, serial: 'logs', throttle: { iops: 100, bytesPerSecond: 50 * 2 ** 20 } },
          ],
          nics: [{ backend: { kind: 'isolated' } }, { backend: { kind: 'isolated' }, macAddress: '02:00:00:00:00:07' }],
          cdroms: [
            { name: 'cdrom-1', imageId: idOf(3) },
            { name: 'cdrom-2', imageId: idOf(3) },
          ],
        },
      },
    });
  });

  it.each([
    ['--disk serial=logs', 'Give a size such as'],
    ['--disk ,serial=logs', 'Give a size first'],
    ['--disk 10GiB,serial', 'After the comma go pool=, serial=, iops=, rate=.'],
    ['--disk 10GiB,iops=1,iops=2', 'iops= is there twice.'],
    ['--nic bridge', 'A card is of the kind isolated; for one on a network give --network.'],
    [`--security-group ${idOf(5)}`, 'Add --network, or change the port.'],
  ])('refuses %s before anything is sent', async (flags, message) => {
    const { run, calls } = await openDouble(routes);
    const { exitCode, stderr } = await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)} ${flags}`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(calls).toEqual([]);
  });

  it('makes it with cards on networks: new ports with groups, and a port that is there', async () => {
    const { run, calls } = await openDouble(routes);
    const cards = `--network ${idOf(4)} --security-group ${idOf(5)} --port ${idOf(6)} --nic isolated`;
    expect((await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)} ${cards}`)).exitCode).toBe(0);
    expect(calls.find(({ call }) => call === 'POST /v1/vms')?.body).toMatchObject({
      hardware: {
        devices: {
          nics: [
            { backend: { kind: 'isolated' } },
            { backend: { kind: 'network', networkId: idOf(4), securityGroupIds: [idOf(5)] } },
            { backend: { kind: 'network', portId: idOf(6) } },
          ],
        },
      },
    });
  });

  it('can be told to keep all its memory', async () => {
    const { run, calls } = await openDouble(routes);
    await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)} --no-balloon`);
    expect(calls[0]?.body).toMatchObject({ balloon: { enabled: false } });
  });

  it('takes ids without looking anything up, and leaves out what was not given', async () => {
    const { run, calls } = await openDouble(routes);
    await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)}`);
    expect(calls.map(({ call, body }) => [call, body])).toEqual([
      ['POST /v1/vms', { name: 'web-1', flavorId: idOf(2), imageId: idOf(3), start: true }],
    ]);
  });

  it('says what was accepted and how to watch it', async () => {
    const { run } = await openDouble(routes);
    const { stdout, stderr } = await run('vm create web-1 --flavor small --image debian-13');
    expect(stdout).toMatchInlineSnapshot(`
      "vm         019a0000-0000-7000-8000-000000000001
      operation  019a0000-0000-7000-8000-000000000007
      kind       vm.create
      state      queued
      "
    `);
    expect(stderr).toBe(`watch it with: kvorum operation watch ${idOf(7)}\n`);
  });

  it('with --wait, shows each step on stderr and then the VM', async () => {
    const { run } = await openDouble(routes);
    const { stdout, stderr, exitCode } = await run('vm create web-1 --flavor small --image debian-13 --wait');
    expect(exitCode).toBe(0);
    expect(stderr).toMatchInlineSnapshot(`
      "vm.create: waiting for a worker
      vm.create: step 1 of 2, ensure-image
      vm.create: step 1 of 2, ensure-image: fetching 50% of 512 MiB, 1 MiB/s, 9 s left
      vm.create: step 2 of 2, ensure-vm (attempt 2)
      vm.create: done
      "
    `);
    expect(stdout).toMatchInlineSnapshot(`
      "name             web-1
      id               019a0000-0000-7000-8000-000000000001
      state            running
      may be asked to  start, stop
      host             host-a
      accelerator      kvm
      vCPUs            2
      CPU model        default
      machine type     pc-q35-10.0
      memory           2 GiB
      CPU policy       dedicated, SMT prefer
      runs on          vCPU 0 on CPU 4, vCPU 1 on CPU 5; other threads on CPU 0-3
      memory overhead  40 MiB now, 128 MiB promised
      balloon          active: needs 512 MiB, keeps at least 1 GiB
      disk             20 GiB
      guest agent      responding
      flavor           019a0000-0000-7000-8000-000000000002
      image            019a0000-0000-7000-8000-000000000003
      project          019a0000-0000-7000-8000-000000000009
      generation       2
      epoch            1
      operation        -
      labels           tier=web
      created          2026-01-02T03:04:05.000Z
      "
    `);
  });

  it('draws a bar on a terminal', async () => {
    const { run } = await openDouble(routes);
    const { stderr } = await run('vm create web-1 --flavor small --image debian-13 --wait', { isTerminal: true });
    expect(stderr).toContain('100% done');
  });

  it('leaves the operation running at Ctrl-C, and says how to watch it', async () => {
    const open: Reply = { events: [['operation', anOperation()]], isOpen: true };
    const { run, calls } = await openDouble({ ...routes, [WATCH]: open });
    const { exitCode, stdout, stderr } = await run('vm create web-1 --flavor small --image debian-13 --wait', {
      interruptAfter: 'waiting for a worker',
    });
    expect(exitCode).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toMatchInlineSnapshot(`
      "vm.create: waiting for a worker

      the operation goes on; watch it with: kvorum operation watch 019a0000-0000-7000-8000-000000000007
      "
    `);
    expect(calls.map(({ call }) => call)).not.toContain(`POST /v1/operations/${idOf(7)}/cancel`);
  });

  it('fails with what the operation failed with', async () => {
    const error = { code: 'host_fault' as const, message: 'no room on the disk', details: {} };
    const { run } = await openDouble({
      ...routes,
      [WATCH]: { events: [['operation', anOperation({ state: 'failed', error })]] },
      'GET /v1/errors/host_fault': ok({ code: 'host_fault', status: 502, remedy: 'Look at the host.' }),
    });
    const { exitCode, stderr } = await run('vm create web-1 --flavor small --image debian-13 --wait');
    expect(exitCode).toBe(1);
    expect(stderr).toMatchInlineSnapshot(`
      "vm.create: failed
      error: no room on the disk (host_fault)
      remedy: Look at the host.
      operation: 019a0000-0000-7000-8000-000000000007
      "
    `);
  });
});

describe('kvorum vm list and get', () => {
  const second = aVm({ id: idOf(11), name: 'db', state: 'stopped', hostName: null, memoryBytes: 1.5 * GIB });

  it('lists all pages as one table', async () => {
    const { run, calls } = await openDouble({
      'GET /v1/vms': ({ query }) =>
        ok(query['cursor'] === 'x' ? { items: [second], nextCursor: null } : { items: [aVm()], nextCursor: 'x' }),
    });
    const { stdout } = await run('vm list');
    expect(stdout).toMatchInlineSnapshot(`
      "NAME   STATE    HOST    VCPUS  MEMORY   ID
      web-1  running  host-a  2      2 GiB    019a0000-0000-7000-8000-000000000001
      db     stopped  -       2      1.5 GiB  019a0000-0000-7000-8000-000000000011
      "
    `);
    expect(calls.map(({ query }) => query)).toEqual([{}, { cursor: 'x' }]);
  });

  it('with --limit, is one page of the API as it was sent', async () => {
    const body = { items: [aVm()], nextCursor: 'x' };
    const { run, calls } = await openDouble({ 'GET /v1/vms': ok(body) });
    const { stdout } = await run('vm list --limit 1 --state running -o json');
    expect(JSON.parse(stdout)).toEqual(body);
    expect(calls[0]?.query).toEqual({ state: 'running', limit: '1' });
  });

  it('as JSON, is exactly what the API answered', async () => {
    const { run } = await openDouble({ [`GET /v1/vms/${idOf(1)}`]: ok(aVm()) });
    const { stdout, stderr } = await run(`vm get ${idOf(1)} -o json`);
    expect(stdout).toBe(`${JSON.stringify(aVm(), null, 2)}\n`);
    expect(stderr).toBe('');
  });

  it('keeps control characters of others off the terminal', async () => {
    const { run } = await openDouble({ 'GET /v1/vms': page(aVm({ hostName: 'a\u001b[2Jb\u009bc' })) });
    const { stdout } = await run('vm list', { isTerminal: true });
    expect(stdout.split('\n')[1]).toMatch(/^web-1 {2}running {2}a \[2Jb c /);
  });

  it('is bold on a terminal, and plain with NO_COLOR', async () => {
    const { run } = await openDouble({ 'GET /v1/vms': page(aVm()) });
    const bold = '\u001b[1m';
    expect((await run('vm list', { isTerminal: true })).stdout).toContain(bold);
    expect((await run('vm list', { isTerminal: true, isColourless: true })).stdout).not.toContain(bold);
    expect((await run('vm list')).stdout).not.toContain('\u001b');
  });
});

describe('verbs on a VM', () => {
  const table: [string, string, unknown][] = [
    ['vm start web-1', `POST /v1/vms/${idOf(1)}/start`, ''],
    ['vm reset web-1', `POST /v1/vms/${idOf(1)}/reset`, ''],
    ['vm pause web-1', `POST /v1/vms/${idOf(1)}/pause`, ''],
    ['vm resume web-1', `POST /v1/vms/${idOf(1)}/resume`, ''],
    ['vm stop web-1', `POST /v1/vms/${idOf(1)}/stop`, {}],
    ['vm stop web-1 --grace 30s', `POST /v1/vms/${idOf(1)}/stop`, { graceMs: 30_000 }],
    ['vm stop web-1 --force', `POST /v1/vms/${idOf(1)}/stop`, { graceMs: 0 }],
    ['vm reboot web-1 --grace 2m', `POST /v1/vms/${idOf(1)}/reboot`, { graceMs: 120_000 }],
    ['vm delete web-1', `DELETE /v1/vms/${idOf(1)}`, ''],
  ];
  it.each(table)('kvorum %s', async (args, call, body) => {
    const { run, calls } = await openDouble({ ...NAMES, [call]: ACCEPTED });
    expect((await run(args)).exitCode).toBe(0);
    expect(calls.map((one) => [one.call, one.query, one.body])).toEqual([
      ['GET /v1/vms', { name: 'web-1' }, ''],
      [call, {}, body],
    ]);
  });

  it('kvorum vm delete --wait ends with the operation, for the VM is gone', async () => {
    const { run } = await openDouble({ ...NAMES, [`DELETE /v1/vms/${idOf(1)}`]: ACCEPTED, [WATCH]: STREAM });
    const { stdout } = await run('vm delete web-1 --wait -o json');
    expect(JSON.parse(stdout)).toMatchObject({ id: idOf(7), state: 'succeeded' });
  });

  it('kvorum vm console prints the log, and follows it until Ctrl-C', async () => {
    const part = (text: string, offset: number, sizeBytes: number): Reply =>
      ok({ text, offset, nextOffset: offset + text.length, sizeBytes });
    const { run, calls } = await openDouble({
      ...NAMES,
      [`GET /v1/vms/${idOf(1)}/console`]: ({ query }) =>
        query['offset'] === undefined ? part('boot\n', 0, 10) : part('login\u0007', Number(query['offset']), 11),
    });
    const { stdout, exitCode } = await run('vm console web-1 --follow', { interruptAfter: 'login' });
    expect(stdout).toBe('boot\nlogin');
    expect(exitCode).toBe(130);
    expect(calls.map(({ query }) => query)).toEqual([{ name: 'web-1' }, {}, { offset: '5' }]);
  });
});

describe('names', () => {
  it('that nobody has are not found', async () => {
    const { run } = await openDouble({ 'GET /v1/vms': page() });
    const { exitCode, stderr } = await run('vm get nobody');
    expect(exitCode).toBe(3);
    expect(stderr).toMatchInlineSnapshot(`
      "error: there is no vm called "nobody" (not_found)
      remedy: Look it up with: kvorum vm list
      "
    `);
  });

  it('that several have are refused, with the ids', async () => {
    const { run } = await openDouble({ 'GET /v1/vms': page(aVm(), aVm({ id: idOf(12) })) });
    const { exitCode, stderr } = await run('vm delete web-1');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`several vms are called "web-1": ${idOf(1)}, ${idOf(12)}`);
  });

  it('of deleted objects do not count', async () => {
    const { run } = await openDouble({
      'GET /v1/vms': page(aVm({ id: idOf(12), state: 'deleted' }), aVm()),
      [`GET /v1/vms/${idOf(1)}`]: ok(aVm()),
    });
    expect((await run('vm get web-1')).exitCode).toBe(0);
  });
});

describe('refusals', () => {
  const table: [string, Reply, number][] = [
    ['a wrong field', problem(400, 'invalid_request', 'body.name: bad'), 2],
    ['no such object', problem(404, 'not_found', 'gone'), 3],
    ['a taken name', problem(409, 'already_exists', 'taken'), 4],
    ['over quota', problem(422, 'quota_exceeded', 'too much'), 4],
    ['no capacity', problem(507, 'no_capacity', '0 of 2 hosts fit'), 4],
    ['an unreachable host', problem(502, 'host_unreachable', 'no answer'), 5],
    ['a token that is not valid', problem(401, 'unauthenticated', 'no'), 6],
    ['a role that may not', problem(403, 'forbidden', 'no'), 6],
    ['a bug', problem(500, 'bug', 'oops'), 1],
  ];
  it.each(table)('%s', async (_name, reply, exitCode) => {
    const { run } = await openDouble({ 'POST /v1/vms': reply });
    expect((await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)}`)).exitCode).toBe(exitCode);
  });

  it('name every field that is wrong, the remedy and the request', async () => {
    const errors = [
      { field: 'body.name', message: 'must be shorter' },
      { field: 'body.labels.x', message: 'must not hold control characters' },
    ];
    const { run } = await openDouble({
      'POST /v1/vms': problem(400, 'invalid_request', '2 fields are wrong', { errors }),
    });
    const { stderr, stdout } = await run(`vm create web-1 --flavor ${idOf(2)} --image ${idOf(3)}`);
    expect(stdout).toBe('');
    expect(stderr).toMatchInlineSnapshot(`
      "error: 2 fields are wrong (invalid_request)
        body.name: must be shorter
        body.labels.x: must not hold control characters
      remedy: Do better.
      request: r-1
      "
    `);
  });
});
