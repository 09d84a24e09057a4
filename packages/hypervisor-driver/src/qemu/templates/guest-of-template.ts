import { DomainError } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import { readDiskChain } from '../disk-chain.js';
import type { ArrivingGuest } from './receive-guest.js';
import { factsOf, readManifest, templateFiles, verifyTemplate } from './template-files.js';
import { assertForkOf } from './template-refusal.js';

/** Where a fork's guest comes from, once it is certain that it is what was frozen and that the fork fits it. */
export async function guestOfTemplate(spec: LaunchSpec, folder: string): Promise<ArrivingGuest> {
  const manifest = await readManifest(folder);
  if (manifest === null) throw new DomainError('not_found', 'the template of the VM is not on this host');
  assertForkOf(spec, factsOf(folder, manifest));
  const files = templateFiles(folder);
  const { bases } = await readDiskChain(spec.diskPath);
  if (bases[0] !== files.disk) {
    throw new DomainError('conflict_state', "the disk of the VM does not rest on its template's");
  }
  await verifyTemplate(folder, manifest);
  return { role: 'fork', memoryPath: files.memory, statePath: files.state, uri: '', noDisk: null };
}
