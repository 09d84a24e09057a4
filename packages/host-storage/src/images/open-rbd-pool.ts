import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { replaceFile } from '../durable-file.js';
import { asHostFaults, HIGH_WATER_RATIO_DEFAULT } from '../open-directory-pool.js';
import { assertId, invalidField } from '../open-volume.js';
import { capabilitiesOf } from '../pool-drivers.js';
import type { StoragePool } from '../storage-pool.js';
import { type CephPlace, CephTools } from './ceph-tools.js';
import { imagePoolVerbs } from './image-pool-verbs.js';
import { RadosLog } from './rados-log.js';
import { RadosRecords } from './rados-records.js';
import { RbdImages } from './rbd-images.js';

export interface RbdPoolOptions {
  /** Null: whichever it is; a new one gets an id. */
  readonly poolId: string | null;
  /** This host, by which a volume knows its user. */
  readonly hostId: string;
  readonly place: CephPlace;
  /** A folder that nobody else can enter, for the key as QEMU wants it. */
  readonly privateFolder: string;
  /** Take a pool of Ceph that holds none as a new one. Without it such a one is refused. */
  readonly mayInitialise: boolean;
  /** Above 0, at most 1. What lies above is for what VMs write into volumes that are there. */
  readonly highWaterRatio?: number;
  readonly qemuImgPath?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const MARKER = 'pool';
const Marker = z.strictObject({ formatVersion: z.literal(1), poolId: z.uuid() });
const PRIVATE_FOLDER_MODE = 0o700;

/** Opens a pool of the driver `rbd`: a pool of Ceph, or a namespace of one, that several hosts reach. */
export async function openRbdPool(options: RbdPoolOptions): Promise<StoragePool> {
  const { poolId, hostId, place, mayInitialise, highWaterRatio = HIGH_WATER_RATIO_DEFAULT } = options;
  if (poolId !== null) assertId('poolId', poolId);
  assertId('hostId', hostId);
  if (!(highWaterRatio > 0 && highWaterRatio <= 1)) throw invalidField('highWaterRatio', 'must be above 0, at most 1');
  return asHostFaults(async () => {
    const keyPath = await layOutKey(options);
    const tools = new CephTools(place);
    const log = new RadosLog(tools);
    const foundId = await findMarker(log, poolId, mayInitialise, tools.poolSpec);
    const pool = {
      id: foundId,
      hostId,
      driver: 'rbd' as const,
      capabilities: capabilitiesOf('rbd', false),
      records: new RadosRecords(log, tools),
      images: new RbdImages(tools, keyPath, options.qemuImgPath ?? '/usr/bin/qemu-img'),
      highWaterRatio,
      now: options.now ?? Date.now,
    };
    await pool.images.observeRoom();
    return imagePoolVerbs(pool);
  });
}

/** Of hosts that meet in a new pool one is the first; the others find its marker. */
async function findMarker(log: RadosLog, poolId: string | null, mayInitialise: boolean, name: string): Promise<string> {
  let { version, value } = await log.read(MARKER);
  if (version === null) {
    if (!mayInitialise) throw new DomainError('host_fault', `${name} holds no storage pool: is it the right cluster?`);
    await log.write(MARKER, { formatVersion: 1, poolId: poolId ?? randomUUID() }, null);
    ({ version, value } = await log.read(MARKER));
  }
  const marker = Marker.safeParse(value);
  if (!marker.success)
    throw new DomainError('host_fault', `the marker of the storage pool in ${name} is not one of ours`);
  if (poolId !== null && marker.data.poolId !== poolId) {
    throw new DomainError('conflict_state', `${name} holds another storage pool: ${marker.data.poolId}`);
  }
  return marker.data.poolId;
}

/** The key alone, out of a keyring (ceph-authtool(8)). */
async function layOutKey({ place, privateFolder }: RbdPoolOptions): Promise<string> {
  const { keyringPath, user } = place;
  const text = await readFile(keyringPath, 'utf8');
  const [, section = ''] =
    text
      .split(/^\s*\[client\./m)
      .find((one) => one.startsWith(`${user}]`))
      ?.split(']', 2) ?? [];
  const key = /^\s*key\s*=\s*([A-Za-z0-9+/]{8,}={0,2})\s*$/m.exec(section)?.[1];
  if (key === undefined) throw new DomainError('host_fault', `${keyringPath} has no key of client.${user}`);
  await mkdir(privateFolder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  const path = join(privateFolder, `${user}.key`);
  await replaceFile(path, `${key}\n`);
  return path;
}
