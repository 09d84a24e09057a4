import { isAbsolute, resolve } from 'node:path';
import { ResourceName } from '@kvorum/schema';
import { z } from 'zod';

/** File systems for VMs of one host: a handful. */
const POOL_COUNT_MAX = 64;
const PATH_LENGTH_MAX = 1024;
const OPTION = /^([^=]*)=(dir|shared-dir):(.*)$/s;

/** A storage pool as the host's operator names it. */
export interface PoolOption {
  readonly name: string;
  readonly driver: 'dir' | 'shared-dir';
  /** Absolute, and not through `..`; whether it is there is found when the pool is opened. */
  readonly path: string;
}

const isPlainPath = (path: string): boolean =>
  isAbsolute(path) && path.length <= PATH_LENGTH_MAX && resolve(path) === path && path !== '/' && !path.includes('\0');

/** `NAME=dir:/path` or `NAME=shared-dir:/path`. */
const PoolOption = z.string().transform((text, context): PoolOption => {
  const refuse = (message: string): never => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  const [, name = '', driver = '', path = ''] = OPTION.exec(text) ?? [];
  if (driver === '') return refuse(`${JSON.stringify(text)} must be NAME=dir:/path or NAME=shared-dir:/path`);
  const named = ResourceName.safeParse(name);
  if (!named.success) return refuse(`the name ${JSON.stringify(name)} ${named.error.issues[0]?.message}`);
  if (!isPlainPath(path)) {
    return refuse(`the path of ${name} must be absolute, not "/", and without "." and ".." and "/" at its end`);
  }
  return { name, driver: driver as PoolOption['driver'], path };
});

const isUnique = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** All pools of a host. Of two that share a folder each would take the other's files for nobody's. */
export const PoolOptions = z
  .array(PoolOption)
  .max(POOL_COUNT_MAX)
  .refine((pools) => isUnique(pools.map(({ name }) => name)), { error: 'two pools have one name' })
  .refine((pools) => !pools.some((a) => pools.some((b) => a !== b && `${b.path}/`.startsWith(`${a.path}/`))), {
    error: 'the folder of one pool lies in that of another',
  });
