import { isAbsolute, resolve } from 'node:path';
import { isGroupName, LVM_NAME } from '@kvorum/host-storage';
import { ResourceName } from '@kvorum/schema';
import { z } from 'zod';

/** File systems for VMs of one host, and pools of Ceph: a handful. */
const POOL_COUNT_MAX = 64;
const PATH_LENGTH_MAX = 1024;
const OPTION = /^([^=]*)=(dir|shared-dir|rbd|lvm-thin):(.*)$/s;
/** Of a pool, and of a namespace: Ceph takes more, its tools read some of that as separators. */
const CEPH_PLACE = /^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:\/([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?$/;

/** A storage pool as the host's operator names it. */
export type PoolOption = DirectoryOption | RbdOption | LvmThinOption;

export interface DirectoryOption {
  readonly name: string;
  readonly driver: 'dir' | 'shared-dir';
  /** Absolute, and not through `..`; whether it is there is found when the pool is opened. */
  readonly path: string;
}

export interface RbdOption {
  readonly name: string;
  readonly driver: 'rbd';
  readonly cephPool: string;
  /** Null: the pool's own. */
  readonly namespace: string | null;
}

export interface LvmThinOption {
  readonly name: string;
  readonly driver: 'lvm-thin';
  readonly group: string;
  readonly thinPool: string;
}

const isPlainPath = (path: string): boolean =>
  isAbsolute(path) && path.length <= PATH_LENGTH_MAX && resolve(path) === path && path !== '/' && !path.includes('\0');

const FORMS = 'NAME=dir:/path, NAME=shared-dir:/path, NAME=rbd:POOL[/NAMESPACE] or NAME=lvm-thin:GROUP/POOL';
const PoolOption = z.string().transform((text, context): PoolOption => {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  const [, name = '', driver = '', place = ''] = OPTION.exec(text) ?? [];
  if (driver === '') {
    return refuse(`${JSON.stringify(text)} must be ${FORMS}`);
  }
  const named = ResourceName.safeParse(name);
  if (!named.success) return refuse(`the name ${JSON.stringify(name)} ${named.error.issues[0]?.message}`);
  if (driver === 'rbd') {
    const [, cephPool, namespace = null] = CEPH_PLACE.exec(place) ?? [];
    if (cephPool === undefined)
      return refuse(`the place of ${name} must be POOL or POOL/NAMESPACE, as Ceph names them`);
    return { name, driver, cephPool, namespace };
  }
  if (driver === 'lvm-thin') {
    const [group = '', thinPool = '', ...rest] = place.split('/');
    if (!isGroupName(group) || !LVM_NAME.test(thinPool) || rest.length > 0) {
      return refuse(
        `the place of ${name} must be GROUP/POOL: a volume group of at most 42 characters and its thin pool`,
      );
    }
    return { name, driver, group, thinPool };
  }
  if (!isPlainPath(place)) {
    return refuse(`the path of ${name} must be absolute, not "/", and without "." and ".." and "/" at its end`);
  }
  return { name, driver: driver as DirectoryOption['driver'], path: place };
});

const isUnique = (values: readonly string[]): boolean => new Set(values).size === values.length;
const foldersOf = (pools: readonly PoolOption[]) => pools.flatMap((one) => ('path' in one ? [one.path] : []));
/** By driver, as a pool of Ceph may have the name of a volume group. */
const otherPlacesOf = (pools: readonly PoolOption[]) =>
  pools.flatMap((one) => {
    if (one.driver === 'rbd') return [`rbd:${one.cephPool}/${one.namespace ?? ''}`];
    return one.driver === 'lvm-thin' ? [`lvm-thin:${one.group}/${one.thinPool}`] : [];
  });

/** All pools of a host. Of two that share a folder each would take the other's files for nobody's. */
export const PoolOptions = z
  .array(PoolOption)
  .max(POOL_COUNT_MAX)
  .refine((pools) => isUnique(pools.map(({ name }) => name)), { error: 'two pools have one name' })
  .refine((pools) => isUnique(otherPlacesOf(pools)), { error: 'two pools are one place in Ceph or LVM' })
  .refine(
    (pools) => {
      const folders = foldersOf(pools).map((path) => `${path}/`);
      return !folders.some((a, at) => folders.some((b, other) => at !== other && b.startsWith(a)));
    },
    { error: 'the folder of one pool lies in that of another' },
  );
