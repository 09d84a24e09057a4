import { mkdir } from 'node:fs/promises';
import { DomainError, MIB } from '@kvorum/schema';
import { imagePoolVerbs } from '../images/image-pool-verbs.js';
import { asHostFaults, HIGH_WATER_RATIO_DEFAULT } from '../open-directory-pool.js';
import { assertId, invalidField } from '../open-volume.js';
import { capabilitiesOf } from '../pool-drivers.js';
import { openFolders } from '../pool-folder.js';
import type { StoragePool } from '../storage-pool.js';
import { VolumeLocks } from '../volume-lock.js';
import { FileRecords } from './file-records.js';
import { isGroupName, LVM_NAME } from './lvm-names.js';
import { LvmThinImages } from './lvm-thin-images.js';
import { type EndLvm, type LvmPlace, LvmTools, type ThinPool } from './lvm-tools.js';

export interface LvmThinPoolOptions {
  /** Null: whichever it is; a new one gets an id. */
  readonly poolId: string | null;
  readonly hostId: string;
  readonly place: LvmPlace;
  /** Of this host, where the records of its volumes are kept; made if it is not there. */
  readonly recordsFolder: string;
  /** Take a thin pool that holds none of ours as a new one. Without it such a one is refused. */
  readonly mayInitialise: boolean;
  /** Above 0, at most 1. What lies above is for what VMs write into volumes that are there. */
  readonly highWaterRatio?: number;
  readonly qemuImgPath?: string;
  readonly endLvm?: EndLvm;
  readonly deviceFolder?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const TAG_PREFIX = 'kvorum.pool.';
const FOLDER_MODE = 0o700;

/** Opens a pool of the driver `lvm-thin`: a thin pool of LVM, of one host. */
export async function openLvmThinPool(options: LvmThinPoolOptions): Promise<StoragePool> {
  const { poolId, hostId, place, recordsFolder, mayInitialise, highWaterRatio = HIGH_WATER_RATIO_DEFAULT } = options;
  if (poolId !== null) assertId('poolId', poolId);
  assertId('hostId', hostId);
  if (!(highWaterRatio > 0 && highWaterRatio <= 1)) throw invalidField('highWaterRatio', 'must be above 0, at most 1');
  if (!isGroupName(place.group)) throw invalidField('place.group', 'is not a name of a volume group, or too long');
  if (!LVM_NAME.test(place.pool)) throw invalidField('place.pool', 'is not a name of a logical volume');
  return asHostFaults(async () => {
    const tools = new LvmTools(place, options.endLvm);
    const { pool: thinPool } = await tools.list();
    assertFit(thinPool, tools.spec(place.pool));
    await mkdir(recordsFolder, { recursive: true, mode: FOLDER_MODE });
    const taggedId = tagOf(thinPool);
    // A pool that has our tag is not a new one, whatever the folder says.
    const identity = { poolId: poolId ?? taggedId, driver: 'lvm-thin', hostId } as const;
    const folders = await openFolders(recordsFolder, identity, mayInitialise && taggedId === null).catch(
      (thrown: unknown) => Promise.reject(taggedId === null ? thrown : lost(thrown, recordsFolder)),
    );
    await markPool(tools, folders.poolId, taggedId);
    const { qemuImgPath = '/usr/bin/qemu-img', deviceFolder = '/dev' } = options;
    const pool = {
      id: folders.poolId,
      hostId,
      driver: 'lvm-thin' as const,
      capabilities: capabilitiesOf('lvm-thin', true),
      records: new FileRecords(folders.volumes, new VolumeLocks(folders.locks)),
      images: new LvmThinImages({ tools, qemuImgPath, deviceFolder }),
      highWaterRatio,
      now: options.now ?? Date.now,
    };
    await pool.images.observeRoom();
    return imagePoolVerbs(pool);
  });
}

/** What its operator has chosen otherwise would let tenants read each other's data, or have their guests hang. */
function assertFit({ zeroesNewBlocks, failsWhenFull, extentBytes }: ThinPool, spec: string): void {
  const [group = ''] = spec.split('/');
  if (!zeroesNewBlocks) throw unfit(`hands out blocks with what was in them: lvchange --zero y ${spec}`);
  // By default writes wait for a minute and are then errors of another kind: the guest would not be paused.
  if (!failsWhenFull) throw unfit(`lets writes wait when it is full: lvchange --errorwhenfull y ${spec}`);
  if (MIB % extentBytes !== 0) {
    throw unfit(
      `has extents of ${extentBytes} bytes: vgchange --physicalextentsize 1m ${group}, or a new volume group`,
    );
  }
}

const unfit = (why: string): DomainError => new DomainError('host_fault', `the thin pool ${why}`);

function tagOf({ tags }: ThinPool): string | null {
  return tags.find((tag) => tag.startsWith(TAG_PREFIX))?.slice(TAG_PREFIX.length) ?? null;
}

const lost = (thrown: unknown, folder: string): unknown =>
  thrown instanceof DomainError && thrown.code === 'host_fault'
    ? new DomainError('host_fault', `the records of the thin pool's volumes are not in ${folder}: bring them back`)
    : thrown;

/** After the folder's marker: what is cut off in between is found by the next one, which takes the folder's word. */
async function markPool(tools: LvmTools, poolId: string, taggedId: string | null): Promise<void> {
  if (taggedId === poolId) return;
  const spec = tools.spec(tools.place.pool);
  if (taggedId !== null) throw new DomainError('conflict_state', `${spec} holds another storage pool: ${taggedId}`);
  await tools.run(['lvchange', '--addtag', `${TAG_PREFIX}${poolId}`, spec]);
}
