import { ordinaryMemoryBytes, type Vm } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { controlGroupLimits } from './control-group-limits.js';
import { eventually } from './eventually.js';
import { operationEnd, type Site, startSite } from './site.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 180_000;
const CHANGE_MS_MAX = 120_000;
const SEEN_MS_MAX = 90_000;
const MIB = 1024 ** 2;
const SECTOR_BYTES = 512;
const KIB = 1024;

/** One boot of a Linux guest; the tests change it one after the other. */
describe('a Linux guest whose VM is changed while it runs', () => {
  let site: Site;
  let vmId: string;

  interface Change {
    readonly field: string;
    readonly effect: string;
  }
  interface SeenVm {
    readonly state: string;
    readonly epoch: number;
    readonly pendingChanges: readonly Change[];
    readonly guest: { readonly agent: string };
    readonly volumes: readonly { readonly role: string; readonly sizeBytes: number }[];
    readonly hardware: { readonly devices: { readonly dataDisks: readonly { readonly id: string }[] } };
  }
  const vm = async () => (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body as unknown as SeenVm;
  const change = async (body: object): Promise<void> => {
    const answer = await site.rest.expect(202, 'PATCH', `/v1/vms/${vmId}`, { ...body, onlyLive: true });
    const { id } = answer.body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, CHANGE_MS_MAX)).toMatchObject({ state: 'succeeded' });
    expect(await vm()).toMatchObject({ state: 'running', epoch: 1, pendingChanges: [] });
  };
  /** What the kernel lets the VM's process have is what was promised, and no more. */
  const expectLimits = async (cpuCount: number): Promise<void> => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`);
    const memoryBytes = ordinaryMemoryBytes({ ...(body as unknown as Vm), accelerator: 'tcg' });
    expect(controlGroupLimits(site.hosts[0]!, vmId)).toEqual({ memoryBytes, cpuCount });
  };
  /** A number that a command in the guest prints. */
  const seen = async (command: string): Promise<number> => {
    const answer = await site.rest.send('POST', `/v1/vms/${vmId}/exec`, { command: ['sh', '-c', command] });
    return answer.status === 200 ? Number.parseInt(String(answer.body['stdout']), 10) : Number.NaN;
  };
  const diskSectors = (name: string) => seen(`cat /sys/block/${name}/size`);

  beforeAll(async () => {
    site = await startSite({ hostNames: ['host-a'] });
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 192, 256);
    const given = { dataDisks: [{ sizeBytes: 4 * MIB, serial: 'given' }], nics: [{}], cdroms: [{ name: 'install' }] };
    const hardware = { devices: { maxVcpuCount: 2, maxMemoryBytes: 320 * MIB, ...given } };
    const created = await site.createVm({ name: 'growing', imageId, flavorId, hardware });
    vmId = created.vmId;
    expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await eventually('the guest agent answers', BOOT_MS_MAX, async () => (await vm()).guest.agent === 'responding');
  });
  afterAll(() => site?.close());

  test('has the disk and the card it was created with from its first boot on', async () => {
    expect(await diskSectors('vdb')).toBe((4 * MIB) / SECTOR_BYTES);
    // A network card is kind 1 (virtio 1.2, 5).
    expect(await seen('cat /sys/bus/virtio/devices/*/device | grep -c 0x0001')).toBe(1);
    expect((await vm()).volumes.map(({ role, sizeBytes }) => [role, sizeBytes])).toEqual([
      ['root', 256 * MIB],
      ['data', 4 * MIB],
    ]);
  });

  test('is told first what would be live and what not, and nothing is done', async () => {
    const body = { vcpuCount: 2, hardware: { firmware: { watchdog: { action: 'report' } } } };
    const plan = await site.rest.expect(200, 'PATCH', `/v1/vms/${vmId}?dryRun=plan`, body);
    const changes = plan.body['changes'] as readonly Change[];
    expect(changes.map(({ field, effect }) => [field, effect])).toEqual([
      ['vcpuCount', 'live'],
      ['hardware.firmware.watchdog', 'next-boot'],
    ]);
    expect(await vm()).toMatchObject({ state: 'running', pendingChanges: [] });
  });

  test('gets a vCPU, and time for it', async () => {
    await expectLimits(2);
    await change({ vcpuCount: 2 });
    await expectLimits(3);
    // Distributions bring it up by a udev rule; this guest has no udev.
    await eventually('the second vCPU', SEEN_MS_MAX, async () => {
      await seen('echo 1 >/sys/devices/system/cpu/cpu1/online');
      return (await seen('grep -c ^processor /proc/cpuinfo')) === 2;
    });
  });

  test('gets memory, and room for it', async () => {
    const memoryKib = () => seen("awk '/MemTotal/ { print $2 }' /proc/meminfo");
    const before = await memoryKib();
    await change({ memoryBytes: 256 * MIB });
    await expectLimits(3);
    await eventually('more memory', SEEN_MS_MAX, async () => (await memoryKib()) >= before + (32 * MIB) / KIB);
  });

  test('gets a disk, which grows and goes again with its file', async () => {
    const [given] = (await vm()).hardware.devices.dataDisks;
    await change({ hardware: { devices: { dataDisks: [given, { sizeBytes: 8 * MIB }] } } });
    await eventually('the disk', SEEN_MS_MAX, async () => (await diskSectors('vdc')) === (8 * MIB) / SECTOR_BYTES);
    const [, disk] = (await vm()).hardware.devices.dataDisks;
    await change({ hardware: { devices: { dataDisks: [given, { ...disk, sizeBytes: 16 * MIB }] } } });
    await eventually(
      'a larger disk',
      SEEN_MS_MAX,
      async () => (await diskSectors('vdc')) === (16 * MIB) / SECTOR_BYTES,
    );
    await change({ hardware: { devices: { dataDisks: [given] } } });
    await eventually('no such disk', SEEN_MS_MAX, async () => (await seen('ls -d /sys/block/vd* | wc -l')) === 2);
    expect((await vm()).volumes.map(({ role }) => role)).toEqual(['root', 'data']);
  });

  test('gets another image into its drive, which the host had to fetch, and the site keeps it meanwhile', async () => {
    const imageId = await site.uploadImage('medium', (await guestImage('boot-sector')).path);
    const inDrive = (id: string | null) =>
      change({ hardware: { devices: { cdroms: [{ name: 'install', imageId: id }] } } });
    await inDrive(imageId);
    expect(await site.rest.send('DELETE', `/v1/images/${imageId}`)).toMatchObject({ status: 409 });
    await inDrive(null);
    await site.rest.expect(204, 'DELETE', `/v1/images/${imageId}`);
  });

  test('sees a larger root disk', async () => {
    await change({ rootDiskBytes: 288 * MIB });
    await eventually('it', SEEN_MS_MAX, async () => (await diskSectors('vda')) === (288 * MIB) / SECTOR_BYTES);
  });
});
