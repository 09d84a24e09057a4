import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { portsOfCards } from '../vm/machine-of-vm.js';
import type { VmHost } from '../vm/vm-host.js';
import type { VmRecord } from '../vm/vm-record.js';
import { renderSeed } from './render-seed.js';
import { writeSeedImage } from './seed-tool.js';

const DRAFT_FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * Makes the seed disk of a VM that is to be launched, beside its other disks, with which it goes. Its parts lie in the run folder
 * for as long as that takes: private, and gone with the VM whenever this is cut off. Null: it has none.
 */
export async function makeSeed({ folders, portOf }: VmHost, { vmId, spec }: VmRecord): Promise<string | null> {
  const file = folders.seedOf(vmId);
  if (spec?.cloudInit == null) {
    await rm(file, { force: true });
    return null;
  }
  const cards = await portsOfCards({ portOf }, spec.hardware.devices.nics);
  const parts = renderSeed(
    spec.cloudInit,
    cards.flatMap(({ nic: { macAddress }, port }) => (macAddress === null ? [] : [{ macAddress, port }])),
  );
  const draft = join(folders.runDirOf(vmId), 'seed');
  const partial = `${file}.partial`;
  await rm(draft, { recursive: true, force: true });
  // xorriso would add to an image that is there.
  await rm(partial, { force: true });
  try {
    await mkdir(draft, { recursive: true, mode: DRAFT_FOLDER_MODE });
    // A VM whose disks all lie on pools has no folder for disks yet.
    await folders.createDisksOf(vmId);
    for (const [name, text] of Object.entries(parts)) await writeFile(join(draft, name), text, { mode: FILE_MODE });
    await writeFile(partial, '', { mode: FILE_MODE });
    await writeSeedImage(draft, partial);
    await chmod(partial, FILE_MODE);
    await rename(partial, file);
    return file;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
