import { z } from 'zod';
import { COPY_TIMEOUT_MS } from '../layer-files.js';
import type { SetAsideData } from '../storage-pool.js';
import { type CephTools, EBUSY, ENOENT, ENOTEMPTY, readAnswer } from './ceph-tools.js';

const Trash = z.array(z.looseObject({ id: z.string(), name: z.string() }));
const Info = z.looseObject({ size: z.int().min(0) });

/** Whatever lies in Ceph's own trash, where images go by their ids. */
export async function listTrash(tools: CephTools): Promise<SetAsideData[]> {
  const found: SetAsideData[] = [];
  for (const { id, name } of await entriesOf(tools)) {
    const info = await tools.rbd(['info', '--format', 'json', ...inTrash(tools, id)], [ENOENT]);
    if (info.exitCode === 0) found.push({ name, bytes: readAnswer('rbd', info.stdout, Info).size });
  }
  return found;
}

/** False: clones rest on it. */
export async function removeFromTrash(tools: CephTools, image: string): Promise<boolean> {
  const id = (await entriesOf(tools)).find(({ name }) => name === image)?.id;
  if (id === undefined) return true;
  const answers = [ENOENT, ENOTEMPTY, EBUSY];
  const go = () => tools.rbd(['trash', 'rm', '--no-progress', tools.spec(id)], answers, { timeoutMs: COPY_TIMEOUT_MS });
  const { exitCode } = await go();
  if (exitCode === 0 || exitCode === ENOENT) return true;
  if (exitCode === EBUSY) return false;
  await tools.rbd(['snap', 'purge', '--no-progress', ...inTrash(tools, id)], [ENOENT]);
  const again = await go();
  return again.exitCode === 0 || again.exitCode === ENOENT;
}

async function entriesOf(tools: CephTools): Promise<z.infer<typeof Trash>> {
  const { stdout } = await tools.rbd(['trash', 'ls', '--format', 'json', tools.poolSpec]);
  return readAnswer('rbd', stdout, Trash);
}

function inTrash({ place }: CephTools, id: string): string[] {
  const { pool, namespace } = place;
  return ['--pool', pool, ...(namespace === null ? [] : ['--namespace', namespace]), '--image-id', id];
}
