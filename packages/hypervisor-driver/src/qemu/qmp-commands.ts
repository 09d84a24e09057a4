import type { GuestMemoryStats } from '../driver.js';
import { fieldsOf } from './answer-fields.js';
import { DEVICE_READERS } from './devices/device-answers.js';

/**
 * The QMP commands this package uses, each with its arguments and the reading of its answer (QEMU's qapi/*.json). An
 * answer is read field by field: QEMU is the process a guest attacks first, so what it says is checked before use.
 */
export interface QmpCommands {
  qmp_capabilities: { arguments: undefined; answer: undefined };
  'query-status': { arguments: undefined; answer: { isRunning: boolean; status: string } };
  'query-cpus-fast': { arguments: undefined; answer: { vcpuIndex: number; threadId: number }[] };
  'query-balloon': { arguments: undefined; answer: { actualBytes: number } };
  balloon: { arguments: { value: number }; answer: undefined };
  'qom-set': { arguments: { path: string; property: string; value: number | object }; answer: undefined };
  /** Only ever asked for `guest-stats`; answered with null while no balloon driver has said anything. */
  'qom-get': {
    arguments: { path: string; property: 'guest-stats' };
    answer: { stats: GuestMemoryStats | null };
  };
  'query-migrate': { arguments: undefined; answer: { status: string | null; failure: string | null } };
  'migrate-set-capabilities': {
    arguments: { capabilities: readonly { readonly capability: string; readonly state: boolean }[] };
    answer: undefined;
  };
  'migrate-set-parameters': { arguments: { 'max-bandwidth': number }; answer: undefined };
  'migrate-incoming': { arguments: { uri: string }; answer: undefined };
  migrate: { arguments: { uri: string }; answer: undefined };
  migrate_cancel: { arguments: undefined; answer: undefined };
  /** Names of the children of an object. */
  'qom-list': { arguments: { path: string }; answer: string[] };
  'query-named-block-nodes': { arguments: undefined; answer: { name: string; sizeBytes: number }[] };
  /** Drives by the name of their device; disks have none here. */
  'query-block': { arguments: undefined; answer: { device: string; node: string | null; isOpen: boolean }[] };
  'query-memory-devices': {
    arguments: undefined;
    answer: { id: string; sizeBytes: number; requestedBytes: number; maxBytes: number }[];
  };
  /** Places of vCPUs, the last one first; `path` is null for one that is free. */
  'query-hotpluggable-cpus': {
    arguments: undefined;
    answer: { type: string; props: Record<string, number>; path: string | null }[];
  };
  device_add: { arguments: Readonly<Record<string, unknown>>; answer: undefined };
  device_del: { arguments: { id: string }; answer: undefined };
  netdev_del: { arguments: { id: string }; answer: undefined };
  'object-add': { arguments: Readonly<Record<string, unknown>>; answer: undefined };
  'object-del': { arguments: { id: string }; answer: undefined };
  'blockdev-add': { arguments: Readonly<Record<string, unknown>>; answer: undefined };
  'blockdev-del': { arguments: { 'node-name': string }; answer: undefined };
  /** qapi/transaction.json: all of the actions or none. */
  transaction: { arguments: { actions: readonly SnapshotAction[] }; answer: undefined };
  /** qapi/block-core.json: BlockJob commit, of layers below the one that is written. */
  'block-commit': {
    arguments: {
      'job-id': string;
      device: string;
      'top-node': string;
      'base-node': string;
      'backing-file': string;
      speed: number;
      'auto-dismiss': false;
    };
    answer: undefined;
  };
  'query-jobs': { arguments: undefined; answer: QemuJob[] };
  'job-cancel': { arguments: { id: string }; answer: undefined };
  'job-dismiss': { arguments: { id: string }; answer: undefined };
  block_resize: { arguments: { 'node-name': string; size: number }; answer: undefined };
  'blockdev-open-tray': { arguments: { id: string }; answer: undefined };
  'blockdev-close-tray': { arguments: { id: string }; answer: undefined };
  'blockdev-remove-medium': { arguments: { id: string }; answer: undefined };
  'blockdev-insert-medium': { arguments: { id: string; 'node-name': string }; answer: undefined };
  screendump: { arguments: { filename: string; format: 'png' }; answer: undefined };
  'query-vm-generation-id': { arguments: undefined; answer: { guid: string } };
  'query-cpu-definitions': { arguments: undefined; answer: CpuDefinition[] };
  /** Of a model: the names of the features that are on in it, by themselves and independent of the machine type. */
  'query-cpu-model-expansion': {
    arguments: { type: 'static'; model: { name: string } };
    answer: { features: string[] };
  };
  stop: { arguments: undefined; answer: undefined };
  cont: { arguments: undefined; answer: undefined };
  system_reset: { arguments: undefined; answer: undefined };
  system_powerdown: { arguments: undefined; answer: undefined };
  quit: { arguments: undefined; answer: undefined };
}

/** qapi/block-core.json: BlockdevSnapshotSync, BlockdevSnapshotInternal. */
export type SnapshotAction = OverlayAction | ImageAction;
interface ImageAction {
  readonly type: 'blockdev-snapshot-internal-sync';
  readonly data: { readonly device: string; readonly name: string };
}
interface OverlayAction {
  readonly type: 'blockdev-snapshot-sync';
  readonly data: {
    readonly 'node-name': string;
    readonly 'snapshot-file': string;
    readonly 'snapshot-node-name': string;
    readonly format: 'qcow2';
    readonly mode: 'existing';
  };
}

export interface QemuJob {
  readonly id: string;
  readonly isOver: boolean;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Null: none so far. Bounded to 512 characters. */
  readonly failure: string | null;
}

export interface CpuDefinition {
  readonly name: string;
  /** Null: not an alias. What an alias stands for depends on the machine type. */
  readonly aliasOf: string | null;
  /** Null: QEMU did not say, and the model may not work. */
  readonly unavailableFeatures: readonly string[] | null;
}

const MS_PER_S = 1000;
const FAILURE_LENGTH_MAX = 512;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export type QmpCommandName = keyof QmpCommands;
type Reader<Name extends QmpCommandName> = (answer: unknown) => QmpCommands[Name]['answer'] | null;

/** Null: the answer has not the shape that QEMU documents. Commands that answer `{}` are not looked at. */
export const QMP_READERS: { readonly [Name in QmpCommandName]: Reader<Name> } = {
  qmp_capabilities: () => undefined,
  // qapi/run-state.json: StatusInfo; `status` is a RunState
  'query-status': (answer) => {
    const { running, status } = fieldsOf(answer);
    return typeof running === 'boolean' && typeof status === 'string' ? { isRunning: running, status } : null;
  },
  // qapi/machine.json: CpuInfoFast
  'query-cpus-fast': (answer) => {
    if (!Array.isArray(answer)) return null;
    const vcpus = answer.map((entry: unknown) => {
      const { 'cpu-index': vcpuIndex, 'thread-id': threadId } = fieldsOf(entry);
      return { vcpuIndex, threadId };
    });
    return vcpus.every(isVcpu) ? vcpus.sort((a, b) => a.vcpuIndex - b.vcpuIndex) : null;
  },
  // qapi/machine.json: BalloonInfo
  'query-balloon': (answer) => {
    const { actual } = fieldsOf(answer);
    return isCount(actual) ? { actualBytes: actual } : null;
  },
  balloon: () => undefined,
  'qom-set': () => undefined,
  'qom-get': readGuestStats,
  // qapi/migration.json: MigrationInfo, whose status is left out before the first migration
  'query-migrate': (answer) => {
    const { status = null, 'error-desc': failure = null } = fieldsOf(answer);
    if ((status !== null && !isText(status)) || (failure !== null && !isText(failure))) return null;
    return { status, failure: failure?.slice(0, FAILURE_LENGTH_MAX) ?? null };
  },
  'migrate-set-capabilities': () => undefined,
  'migrate-set-parameters': () => undefined,
  'migrate-incoming': () => undefined,
  migrate: () => undefined,
  migrate_cancel: () => undefined,
  screendump: () => undefined,
  // qapi/machine.json: GuidInfo
  'query-vm-generation-id': (answer) => {
    const { guid } = fieldsOf(answer);
    return typeof guid === 'string' && GUID.test(guid) ? { guid: guid.toLowerCase() } : null;
  },
  'query-cpu-definitions': readCpuDefinitions,
  // qapi/machine-target.json: CpuModelExpansionInfo
  'query-cpu-model-expansion': (answer) => {
    const { props } = fieldsOf(fieldsOf(answer)['model']);
    const features = Object.entries(fieldsOf(props)).flatMap(([name, value]) => (value === true ? [name] : []));
    return props === undefined ? null : { features };
  },
  ...DEVICE_READERS,
  stop: () => undefined,
  cont: () => undefined,
  system_reset: () => undefined,
  system_powerdown: () => undefined,
  quit: () => undefined,
};

/**
 * docs/interop/virtio-balloon-stats.rst: `last-update` is 0 until the guest has spoken, and a figure that it did not give is
 * 2^64 - 1, which JSON.parse rounds up to 2^64: neither that nor anything else beyond 2^53 is a size of memory.
 */
function readGuestStats(answer: unknown): { stats: GuestMemoryStats | null } | null {
  const { stats: figures, 'last-update': updatedAtS } = fieldsOf(answer);
  if (!isCount(updatedAtS) || !isCount(updatedAtS * MS_PER_S)) return null;
  if (updatedAtS === 0) return { stats: null };
  const byName = fieldsOf(figures);
  const bytesOf = (name: string): number | null => {
    const bytes = byName[name];
    return isCount(bytes) ? bytes : null;
  };
  return {
    stats: {
      updatedAtMs: updatedAtS * MS_PER_S,
      totalBytes: bytesOf('stat-total-memory'),
      freeBytes: bytesOf('stat-free-memory'),
      availableBytes: bytesOf('stat-available-memory'),
      diskCacheBytes: bytesOf('stat-disk-caches'),
    },
  };
}

/** qapi/machine-target.json: CpuDefinitionInfo */
function readCpuDefinitions(answer: unknown): CpuDefinition[] | null {
  if (!Array.isArray(answer)) return null;
  const definitions = answer.map((entry: unknown) => {
    const fields = fieldsOf(entry);
    const { name, 'alias-of': aliasOf = null, 'unavailable-features': unavailableFeatures = null } = fields;
    return { name, aliasOf, unavailableFeatures };
  });
  return definitions.every(isCpuDefinition) ? definitions : null;
}

const isText = (value: unknown): value is string => typeof value === 'string';

const isCpuDefinition = (entry: {
  name: unknown;
  aliasOf: unknown;
  unavailableFeatures: unknown;
}): entry is CpuDefinition =>
  isText(entry.name) &&
  (entry.aliasOf === null || isText(entry.aliasOf)) &&
  (entry.unavailableFeatures === null ||
    (Array.isArray(entry.unavailableFeatures) && entry.unavailableFeatures.every(isText)));

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isVcpu = (vcpu: { vcpuIndex: unknown; threadId: unknown }): vcpu is { vcpuIndex: number; threadId: number } =>
  isCount(vcpu.vcpuIndex) && isCount(vcpu.threadId);
