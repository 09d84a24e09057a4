import { readFile } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { changeMedia } from './change-media.js';
import {
  DISK_PREFIX,
  HOT_MEMORY_ID,
  limitsOf,
  NIC_PREFIX,
  netdevId,
  planNic,
  pluggedNics,
  ROOT_LIMITS_ID,
  ROOT_NODE,
  throttleGroup,
  VCPU_PREFIX,
} from './device-plan.js';
import { imageKey } from './image-node.js';
import { type Ask, askGuestToLetGo, type MachineChange, untilGuest } from './machine-change.js';
import { removeLeftNodes } from './remove-left-nodes.js';

/**
 * Makes the running machine the given one, by comparing what QEMU says it has; what is right already is left alone, so that
 * it can be called again after it was cut off anywhere. What a guest may refuse comes first: when it does, nothing has been
 * added that would have to be taken from it again.
 */
export async function ensureMachine(change: MachineChange): Promise<void> {
  const { ask } = change;
  await unplugOthers(change);
  await removeLeftNodes(change);
  await ensureMemory(change);
  await ensureVcpus(change);
  const present = new Set(await ask('qom-list', { path: '/machine/peripheral' }));
  const nodes = new Map((await ask('query-named-block-nodes')).map(({ name, sizeBytes }) => [name, sizeBytes]));
  const groups = new Set(await ask('qom-list', { path: '/objects' }));
  for (const disk of change.disks) {
    if (!groups.has(disk.limitsId)) await ask('object-add', throttleGroup(disk.limitsId, disk.limits));
    if (disk.key !== null && !groups.has(disk.key.id)) await addKey(ask, disk.diskId, disk.key.path);
    if (!nodes.has(disk.node)) await ask('blockdev-add', disk.blockdev);
    if (!present.has(disk.id)) await ask('device_add', disk.device);
  }
  for (const nic of plannedNics(change)) {
    if (!present.has(nic.id)) await ask('device_add', nic.device);
  }
  await changeMedia(change);
  await setLimits(change, groups);
  await growDisks(change, nodes);
}

/** By the monitor, which only the agent can reach. */
async function addKey(ask: Ask, diskId: string, path: string): Promise<void> {
  await ask('object-add', { ...imageKey(diskId), data: (await readFile(path, 'utf8')).trim() });
}

const plannedNics = ({ machine: { hardware, attachments } }: MachineChange) =>
  pluggedNics(hardware.devices).map((nic) => planNic(nic, attachments?.taps?.[nic.id]?.mtu ?? null));

async function unplugOthers(change: MachineChange): Promise<void> {
  const { ask, disks, guestTimeoutMs } = change;
  const wanted = new Set([...disks.map(({ id }) => id), ...plannedNics(change).map(({ id }) => id)]);
  const others = async (): Promise<string[]> =>
    (await ask('qom-list', { path: '/machine/peripheral' })).filter(
      (id) => (id.startsWith(DISK_PREFIX) || id.startsWith(NIC_PREFIX)) && !wanted.has(id),
    );
  const going = await others();
  for (const id of going) await askGuestToLetGo(ask, id);
  await untilGuest(
    going.length === 0 ? '' : going.join(' and '),
    guestTimeoutMs,
    async () => (await others()).length === 0,
  );
  for (const id of going.filter((each) => each.startsWith(NIC_PREFIX))) await letGoOfTap(ask, id);
}

/** With its card gone, a tap is closed: the host may take it away. One without a tap, and one that is closed already, is none. */
async function letGoOfTap(ask: Ask, cardId: string): Promise<void> {
  await ask('netdev_del', { id: netdevId(cardId.slice(NIC_PREFIX.length)) }).catch((thrown: unknown) => {
    if (!(thrown instanceof DomainError) || !thrown.message.includes('not found')) throw thrown;
  });
}

async function ensureMemory({ ask, machine, bootMemoryBytes, guestTimeoutMs }: MachineChange): Promise<void> {
  const wantedBytes = machine.memoryBytes - bootMemoryBytes;
  const device = (await ask('query-memory-devices')).find(({ id }) => id === HOT_MEMORY_ID);
  if (device === undefined) {
    if (wantedBytes === 0) return;
    throw new DomainError('conflict_state', 'the VM was started without room for more memory; stop and start it');
  }
  if (wantedBytes < 0 || wantedBytes > device.maxBytes) {
    throw new DomainError(
      'conflict_state',
      `the running VM can have ${bootMemoryBytes} to ${bootMemoryBytes + device.maxBytes} bytes of memory`,
    );
  }
  const path = `/machine/peripheral/${HOT_MEMORY_ID}`;
  if (device.requestedBytes !== wantedBytes) {
    await ask('qom-set', { path, property: 'requested-size', value: wantedBytes });
  }
  const isGrowing = device.sizeBytes < wantedBytes;
  await untilGuest(isGrowing ? null : `${device.sizeBytes - wantedBytes} bytes of memory`, guestTimeoutMs, async () =>
    (await ask('query-memory-devices')).some(({ id, sizeBytes }) => id === HOT_MEMORY_ID && sizeBytes === wantedBytes),
  );
}

async function ensureVcpus({ ask, machine, accelerator, guestTimeoutMs }: MachineChange): Promise<void> {
  const places = await ask('query-hotpluggable-cpus');
  const present = places.filter(({ path }) => path !== null);
  if (present.length < machine.vcpuCount) {
    const free = places.filter(({ path }) => path === null).reverse();
    if (present.length + free.length < machine.vcpuCount) {
      throw new DomainError('conflict_state', `the VM was started with room for ${places.length} vCPUs`);
    }
    for (const { type, props } of free.slice(0, machine.vcpuCount - present.length)) {
      const place = Object.values(props).join('-');
      await ask('device_add', { driver: type, id: `${VCPU_PREFIX}${place}`, ...props });
    }
    return;
  }
  if (present.length === machine.vcpuCount) return;
  if (accelerator === 'tcg') {
    // Only its interrupt controller would go, and a later plug of memory would end QEMU.
    throw new DomainError('conflict_state', 'emulation cannot take a vCPU away from a running machine');
  }
  const going = present.slice(0, present.length - machine.vcpuCount);
  for (const { path } of going) await askGuestToLetGo(ask, String(path));
  await untilGuest(`${going.length} vCPUs`, guestTimeoutMs, async () => {
    const left = (await ask('query-hotpluggable-cpus')).filter(({ path }) => path !== null);
    return left.length === machine.vcpuCount;
  });
}

async function setLimits({ ask, machine, disks }: MachineChange, groups: ReadonlySet<string>): Promise<void> {
  const { throttle } = machine.hardware.devices.rootDisk;
  const set = (id: string, limits: object) =>
    ask('qom-set', { path: `/objects/${id}`, property: 'limits', value: limits });
  for (const { limitsId, limits } of disks) await set(limitsId, limits);
  if (groups.has(ROOT_LIMITS_ID)) return set(ROOT_LIMITS_ID, limitsOf(throttle));
  if (throttle.iops === null && throttle.bytesPerSecond === null) return;
  throw new DomainError('conflict_state', 'the VM was started by an older agent without limits; stop and start it');
}

async function growDisks({ ask, machine, disks }: MachineChange, nodes: ReadonlyMap<string, number>): Promise<void> {
  const { sizeBytes } = machine.hardware.devices.rootDisk;
  const wanted = [...disks.map(({ node, sizeBytes: bytes }) => ({ node, bytes }))];
  if (sizeBytes !== null) wanted.push({ node: nodes.has(ROOT_NODE) ? ROOT_NODE : 'root', bytes: sizeBytes });
  for (const { node, bytes } of wanted) {
    const found = nodes.get(node);
    if (found !== undefined && found < bytes) await ask('block_resize', { 'node-name': node, size: bytes });
  }
}
