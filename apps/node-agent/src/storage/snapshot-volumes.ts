import type { Fence, StillSnapshot, StoragePool, Turn, VolumeFacts } from '@kvorum/host-storage';
import { ROOT_DISK_ID, type RunningVm } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import type { FreezeKeeper } from '../guest/freeze-keeper.js';
import type { Log } from '../log.js';
import type { VmRun } from '../vm/vm-actor.js';

export interface VolumeToSnapshot {
  readonly pool: StoragePool;
  readonly volumeId: string;
  readonly snapshotId: string;
  readonly fence: Fence;
}

export interface SnapshotOptions {
  readonly volumes: readonly VolumeToSnapshot[];
  /** The VM that has them open; null: none has. */
  readonly run: VmRun | null;
  /** 0: its guest is not asked to freeze. */
  readonly freezeTimeoutMs: number;
  readonly freezes: FreezeKeeper;
  readonly log: Log;
}

export interface Snapshots {
  readonly volumes: ReadonlyMap<string, VolumeFacts>;
  readonly wasFrozen: boolean;
}

/**
 * Snapshots of volumes at one instant, also if they lie on several pools: each pool gets ready and has the next one do so, and when
 * all are, the VM's process turns to all new files at once. The guest is frozen for the turn alone.
 */
export async function snapshotVolumes(options: SnapshotOptions): Promise<Snapshots> {
  const { volumes, run } = options;
  const pools = [...new Set(volumes.map(({ pool }) => pool))];
  const facts = new Map<string, VolumeFacts>();
  let wasFrozen = false;
  if (run !== null) {
    assertDisksOf(run, volumes);
    assertOneInstant(pools);
  }
  const takeFrom = async (index: number, turns: readonly Turn[]): Promise<void> => {
    const pool = pools[index];
    if (pool === undefined) {
      if (run !== null && turns.length > 0) wasFrozen = await turn(options, run, turns);
      return;
    }
    let areOthersDone = false;
    const goOn = async (own: readonly Turn[]): Promise<void> => {
      areOthersDone = true;
      await takeFrom(index + 1, [...turns, ...own]);
    };
    const ofPool = volumes.filter((volume) => volume.pool === pool);
    const asked = ofPool.map(({ volumeId, snapshotId, fence }) => ({ volumeId, snapshotId, fence }));
    const made = await pool.snapshotVolumes({ volumes: asked, ...(run === null ? {} : { switchLive: goOn }) });
    for (const one of made) facts.set(one.volumeId, one);
    // Without a VM, or where an earlier request has come so far already.
    if (!areOthersDone) await takeFrom(index + 1, turns);
  };
  await takeFrom(0, []);
  return { volumes: facts, wasFrozen };
}

const isStill = (turn: Turn): turn is StillSnapshot => turn.kind === 'still';

/** One volume is of one moment as its storage sees it; only several need the guest to stand still. */
async function takeStill(vm: RunningVm, turns: readonly StillSnapshot[]): Promise<void> {
  const takeAll = async (): Promise<void> => {
    for (const { take } of turns) await take();
  };
  await (turns.length === 1 ? takeAll() : vm.holdStill(takeAll));
}

function assertDisksOf({ record }: VmRun, volumes: readonly VolumeToSnapshot[]): void {
  const other = volumes.find(({ volumeId }) => !record.claims.some((claim) => claim.volumeId === volumeId));
  if (other === undefined) return;
  throw new DomainError('conflict_state', `the running VM has no volume ${other.volumeId}`);
}

/**
 * Where the guest has to stand still nothing turns as one step, so that of what a crash leaves it must be told whether all are there:
 * one pool can, several cannot.
 */
function assertOneInstant(pools: readonly StoragePool[]): void {
  if (pools.length <= 1 || pools.every(({ driver }) => driver !== 'lvm-thin')) return;
  throw new DomainError(
    'conflict_state',
    'a thin pool of LVM and another pool take no snapshot of a running VM at one instant: stop the VM, or take one pool at a time',
  );
}

/** Returns whether the guest was frozen meanwhile: one that cannot be frozen keeps nobody from a snapshot, and that is said. */
async function turn(
  { freezeTimeoutMs, freezes, log }: SnapshotOptions,
  { live, record }: VmRun,
  turns: readonly Turn[],
): Promise<boolean> {
  const freezeId = freezeTimeoutMs === 0 ? null : await freeze();
  try {
    const still = turns.filter(isStill);
    if (still.length > 0) await takeStill(live.vm, still);
    const switches = turns.flatMap((one) => (isStill(one) ? [] : [one]));
    if (switches.length > 0)
      await live.vm.switchDisks(
        switches.map((one) => {
          const diskId = one.volumeId === record.spec?.rootVolumeId ? ROOT_DISK_ID : one.volumeId;
          if (one.kind === 'image') return { diskId, snapshotName: one.snapshotName };
          return { diskId, basePath: one.basePath, path: one.path };
        }),
      );
  } catch (thrown) {
    if (freezeId !== null) await thaw(freezeId);
    throw thrown;
  }
  return freezeId !== null && (await thaw(freezeId));

  async function freeze(): Promise<string | null> {
    try {
      return (await freezes.freeze(live, freezeTimeoutMs)).freezeId;
    } catch (thrown) {
      log.info({ vmId: live.vm.vmId, error: String(thrown) }, 'a guest was not frozen for a snapshot');
      return null;
    }
  }
  async function thaw(id: string): Promise<boolean> {
    try {
      return (await freezes.thaw(live, id)).wasUnbroken;
    } catch (thrown) {
      // Its deadline is kept in any case; whether it held until now is not known.
      log.warn({ vmId: live.vm.vmId, error: String(thrown) }, 'a guest was not thawed yet after a snapshot');
      return false;
    }
  }
}
