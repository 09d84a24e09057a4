import { DomainError } from '@kvorum/schema';
import { invalidField } from '../open-volume.js';
import type { SetAsideData } from '../storage-pool.js';
import { ImageName } from './image-record.js';
import type { ImagePool } from './open-image-volume.js';

/** Port: StoragePool.listSetAside. What others have moved there is none of ours. */
export async function listSetAside({ images }: ImagePool): Promise<SetAsideData[]> {
  const found = await images.setAsideImages();
  return found.filter(({ name }) => ImageName.safeParse(name).success).sort((a, b) => a.name.localeCompare(b.name));
}

/** Port: StoragePool.removeSetAside. */
export async function removeSetAside({ images }: ImagePool, name: string): Promise<void> {
  if (!ImageName.safeParse(name).success) throw invalidField('name', 'must be one that listSetAside has given');
  if (!(await images.removeSetAside(name)))
    throw new DomainError('in_use', `other images rest on ${name}: it goes after them`);
}
