import { describe, expect, it } from 'vitest';
import { ok, openDouble, page, type Reply } from './double.js';
import { anImage, anOperation, aVm, GIB, idOf } from './shapes.js';

const ACCEPTED: Reply = { status: 202, body: { resourceId: idOf(1), operation: anOperation({ kind: 'vm.update' }) } };
const PATCH = `PATCH /v1/vms/${idOf(1)}`;
const GET = `GET /v1/vms/${idOf(1)}`;

const UNLIMITED = { iops: null, bytesPerSecond: null };
const aDisk = (id: string, sizeBytes = 8 * GIB) => ({
  id,
  sizeBytes,
  throttle: UNLIMITED,
  cache: 'auto' as const,
  discard: true,
  serial: null,
  slot: 1,
});
const aNic = (id: string) => ({ id, macAddress: '02:00:00:00:00:01', backend: { kind: 'isolated' as const }, slot: 2 });
const [DISK, OTHER_DISK, NIC] = [idOf(51), idOf(52), idOf(61)];

function aVmWithDevices(changes: Parameters<typeof aVm>[0] = {}) {
  const vm = aVm(changes);
  const devices = {
    ...vm.hardware.devices,
    dataDisks: [aDisk(DISK), aDisk(OTHER_DISK)],
    nics: [aNic(NIC)],
    cdroms: [{ name: 'cdrom-1', imageId: null, imageSha256: null }],
  };
  return { ...vm, hardware: { ...vm.hardware, devices } };
}

const routes = (vm: object = aVmWithDevices()) => ({
  'GET /v1/vms': page(vm),
  'GET /v1/images': page(anImage()),
  [GET]: ok(vm),
  [PATCH]: ACCEPTED,
});

describe('kvorum vm update', () => {
  it('sends exactly what was given', async () => {
    const { run, calls } = await openDouble(routes());
    const { exitCode, stderr } = await run(
      'vm update web-1 --name web-2 --vcpus 4 --memory 4GiB --root-disk 40GiB --max-vcpus 8 --max-memory 16GiB --label a=b --no-balloon --tpm --cpu-policy shared --machine-type pc-q35-10.0 --only-live --idempotency-key k1',
    );
    expect(stderr).toBe(`watch it with: kvorum operation watch ${idOf(7)}\n`);
    expect(exitCode).toBe(0);
    const update = calls.find(({ call }) => call === PATCH);
    expect(update?.headers['idempotency-key']).toBe('k1');
    expect(update?.body).toEqual({
      name: 'web-2',
      labels: { a: 'b' },
      vcpuCount: 4,
      memoryBytes: 4 * GIB,
      rootDiskBytes: 40 * GIB,
      balloon: { enabled: false },
      hardware: {
        machineType: 'pc-q35-10.0',
        cpuPolicy: { policy: 'shared' },
        firmware: { tpm: '2.0' },
        devices: { maxVcpuCount: 8, maxMemoryBytes: 16 * GIB },
      },
      onlyLive: true,
    });
  });

  it('gives each call a key, so that one that was not answered can be sent again', async () => {
    const { run, calls } = await openDouble(routes());
    await run('vm update web-1 --vcpus 4');
    expect(calls.find(({ call }) => call === PATCH)?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  const PLAN = {
    changes: [
      { field: 'vcpuCount', from: 2, to: 4, effect: 'live', reason: 'More.' },
      { field: 'memoryBytes', from: 2 * GIB, to: 4 * GIB, effect: 'next-boot', reason: 'it was started without room' },
      { field: `hardware.devices.nics[${NIC}]`, from: null, to: aNic(NIC), effect: 'live', reason: 'Added.' },
    ],
    pendingChanges: [
      { field: 'memoryBytes', from: 2 * GIB, to: 4 * GIB, effect: 'next-boot', reason: 'it was started without room' },
    ],
  };

  it('with --dry-run, shows field by field what would be done', async () => {
    const { run, calls } = await openDouble({ ...routes(), [PATCH]: ok(PLAN) });
    const { stdout } = await run('vm update web-1 --vcpus 4 --memory 4GiB --dry-run');
    expect(calls.find(({ call }) => call === PATCH)?.query).toEqual({ dryRun: 'plan' });
    expect(stdout).toMatchInlineSnapshot(`
      "FIELD                                                        FROM   TO                                                           EFFECT     WHY
      vcpuCount                                                    2      4                                                            live       More.
      memoryBytes                                                  2 GiB  4 GiB                                                        next-boot  it was started without room
      hardware.devices.nics[019a0000-0000-7000-8000-000000000061]  -      macAddress 02:00:00:00:00:01, backend kind isolated, slot 2  live       Added.

      would wait for the next start: memoryBytes
      "
    `);
  });

  it('with -o json, shows the plan as the API answered it', async () => {
    const { run } = await openDouble({ ...routes(), [PATCH]: ok(PLAN) });
    expect(JSON.parse((await run('-o json vm update web-1 --vcpus 4 --dry-run')).stdout)).toEqual(PLAN);
  });

  it('says when nothing would change', async () => {
    const { run } = await openDouble({ ...routes(), [PATCH]: ok({ changes: [], pendingChanges: [] }) });
    expect((await run('vm update web-1 --vcpus 2 --dry-run')).stdout).toBe('nothing would change\n');
  });

  it('asks for a change before it asks the server', async () => {
    const { run, calls } = await openDouble(routes());
    const { exitCode, stderr } = await run('vm update web-1');
    expect([exitCode === 0, calls]).toEqual([false, []]);
    expect(stderr).toContain('nothing is to be changed');
  });

  it('shows in a VM what waits for its next start', async () => {
    const pendingChanges = [{ field: 'memoryBytes', from: 2 * GIB, to: 4 * GIB, reason: 'no room' }];
    const { run } = await openDouble(routes(aVmWithDevices({ pendingChanges })));
    expect((await run('vm get web-1')).stdout).toContain('memoryBytes: 2 GiB -> 4 GiB');
  });
});

describe('devices of a VM', () => {
  const disks = (...entries: object[]) => ({ dataDisks: entries });
  it.each<[command: string, devices: object]>([
    [
      'disk add web-1 --size 20GiB --iops 100 --serial d1',
      disks(aDisk(DISK), aDisk(OTHER_DISK), { sizeBytes: 20 * GIB, serial: 'd1', throttle: { iops: 100 } }),
    ],
    [`disk resize web-1 ${DISK} 16GiB`, disks(aDisk(DISK, 16 * GIB), aDisk(OTHER_DISK))],
    [`disk remove web-1 ${DISK}`, disks(aDisk(OTHER_DISK))],
    ['nic add web-1', { nics: [aNic(NIC), {}] }],
    ['nic add web-1 --mac 02:00:00:00:00:02', { nics: [aNic(NIC), { macAddress: '02:00:00:00:00:02' }] }],
    [`nic remove web-1 ${NIC}`, { nics: [] }],
    [
      'cdrom add web-1 cdrom-2',
      { cdroms: [{ name: 'cdrom-1', imageId: null, imageSha256: null }, { name: 'cdrom-2' }] },
    ],
    ['cdrom insert web-1 cdrom-1 debian-13', { cdroms: [{ name: 'cdrom-1', imageId: idOf(3) }] }],
    ['cdrom eject web-1 cdrom-1', { cdroms: [{ name: 'cdrom-1', imageId: null }] }],
  ])('%s sends the whole list, made from the VM as it was read', async (command, devices) => {
    const { run, calls } = await openDouble(routes());
    expect(await run(`vm ${command}`)).toMatchObject({ exitCode: 0 });
    const update = calls.find(({ call }) => call === PATCH);
    expect(update?.body).toEqual({ hardware: { devices } });
    expect(update?.headers['if-match']).toBe(`"${aVm().generation}"`);
  });

  it('keeps what waits for the next start', async () => {
    const at = (id: string) => `hardware.devices.dataDisks[${id}]`;
    const added = aDisk(idOf(53));
    const pendingChanges = [
      { field: at(idOf(53)), from: null, to: added, reason: 'paused' },
      { field: `${at(DISK)}.cache`, from: 'auto', to: 'direct', reason: 'opened at the start' },
    ];
    const { run, calls } = await openDouble(routes(aVmWithDevices({ pendingChanges })));
    await run('vm disk add web-1 --size 1GiB');
    expect(calls.find(({ call }) => call === PATCH)?.body).toEqual({
      hardware: {
        devices: { dataDisks: [{ ...aDisk(DISK), cache: 'direct' }, aDisk(OTHER_DISK), added, { sizeBytes: GIB }] },
      },
    });
  });

  it('makes the root disk larger by its name', async () => {
    const { run, calls } = await openDouble(routes());
    await run('vm disk resize web-1 root 40GiB');
    expect(calls.find(({ call }) => call === PATCH)?.body).toEqual({ rootDiskBytes: 40 * GIB });
  });

  it.each([
    ['disk remove web-1 nonsense', 'no disk nonsense'],
    ['disk remove web-1 019a', 'several disks of the VM begin with 019a'],
    ['cdrom eject web-1 cdrom-9', 'no drive cdrom-9'],
  ])('%s is refused before anything is sent', async (command, words) => {
    const { run, calls } = await openDouble(routes());
    const { exitCode, stderr } = await run(`vm ${command}`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(words);
    expect(calls.some(({ call }) => call === PATCH)).toBe(false);
  });

  it('are listed as the VM has them now', async () => {
    const { run } = await openDouble(routes());
    expect((await run('vm disk list web-1')).stdout).toMatchInlineSnapshot(`
      "ROLE  SIZE    LIMITS  SERIAL  ID
      root  20 GiB  -       -       019a0000-0000-7000-8000-000000000005
      data  8 GiB   -       -       019a0000-0000-7000-8000-000000000051
      data  8 GiB   -       -       019a0000-0000-7000-8000-000000000052
      "
    `);
    expect((await run('vm nic list web-1')).stdout).toMatchInlineSnapshot(`
      "MAC ADDRESS        CONNECTED TO   SLOT  ID
      02:00:00:00:00:01  kind isolated  2     019a0000-0000-7000-8000-000000000061
      "
    `);
  });
});
