/** What a kind of pool can do. What it cannot is refused with `conflict_state`, never imitated. */
export interface PoolCapabilities {
  /** Several hosts reach the same volumes; one at a time may use a volume. */
  readonly isShared: boolean;
  readonly hasSnapshots: boolean;
  /** A clone that shares what it has not changed with the snapshot it came from. */
  readonly hasLinkedClones: boolean;
  /** Room is taken when it is written, so that more can be promised than there is. */
  readonly isThin: boolean;
  /** A volume grows while a VM uses it. */
  readonly growsOnline: boolean;
  /** A full copy that takes no time and no room: the file system shares blocks (XFS, Btrfs). Found by trying. */
  readonly hasReflink: boolean;
}

/** The capability matrix: one row per driver. `hasReflink` is a property of the file system, where there is one. */
export const POOL_DRIVERS = {
  /** A folder of qcow2 files on a file system of one host. */
  dir: { isShared: false, hasSnapshots: true, hasLinkedClones: true, isThin: true, growsOnline: true },
  /** The same, at the same path on several hosts, as NFS gives; it has to carry flock(2) between hosts. */
  'shared-dir': { isShared: true, hasSnapshots: true, hasLinkedClones: true, isThin: true, growsOnline: true },
  /** A pool of Ceph, or a namespace of one. */
  rbd: { isShared: true, hasSnapshots: true, hasLinkedClones: true, isThin: true, growsOnline: true },
  /** A thin pool of LVM, of one host. */
  'lvm-thin': { isShared: false, hasSnapshots: true, hasLinkedClones: true, isThin: true, growsOnline: true },
} as const satisfies Readonly<Record<string, Omit<PoolCapabilities, 'hasReflink'>>>;

export type PoolDriverName = keyof typeof POOL_DRIVERS;

export const capabilitiesOf = (driver: PoolDriverName, hasReflink: boolean): PoolCapabilities => ({
  ...POOL_DRIVERS[driver],
  hasReflink,
});
