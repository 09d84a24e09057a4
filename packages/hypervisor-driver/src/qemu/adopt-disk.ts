import { lstat, rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DomainError } from '@kvorum/schema';
import type { AdoptedDisk } from '../driver.js';
import { asHostFault } from '../process/as-host-fault.js';
import { runTool } from '../process/run-tool.js';
import { syncPath } from './ensure-disk.js';
import { inspectBaseImage, inspectOverlay, type QemuImg } from './inspect-image.js';
import { readQcow2Header } from './qcow2-header.js';
import { pathRefusal } from './run-folder.js';

/** qemu-img check reads all tables of the disk: of 1 TiB some 130 MiB. */
const CHECK_TIMEOUT_MS = 600_000;
/** Of qemu-img check: clusters that nothing uses, as a process leaves that is ended hard. No data is wrong. */
const EXIT_LEAKS = 3;

/** Driver port: HypervisorDriver.adoptDisk. */
export async function adoptDisk(qemuImg: QemuImg, disk: AdoptedDisk): Promise<void> {
  const { file, path, imagePath } = disk;
  for (const given of [file, path, imagePath]) {
    const refusal = given === null ? null : pathRefusal(given);
    if (refusal !== null) throw new DomainError('invalid_request', `a path of the disk ${refusal}`);
  }
  if (!(await isThere(file)) && (await isThere(path))) return;
  await assertAdoptable(disk);
  if (imagePath !== null) {
    await inspectBaseImage(qemuImg, imagePath);
    // -u: the name alone is written. What the file rested on before is not opened, nor anything else that it names.
    const args = ['rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', imagePath, '--', `file:${file}`];
    await asHostFault('the disk cannot be put on its image', () => runTool(qemuImg.path, args, qemuImg.timeoutMs));
  }
  await assertSound(qemuImg, disk);
  await asHostFault('the disk cannot be kept', async () => {
    await syncPath(file);
    await rename(file, path);
    await syncPath(dirname(path));
  });
}

/** By our own reading of its header, before any tool opens it: a tool would open what it names. */
async function assertAdoptable({ file, imagePath, sizeBytesMax }: AdoptedDisk): Promise<void> {
  if (!(await isThere(file))) throw unfit('it is not there');
  const header = await readQcow2Header(file);
  if (header.hasExternalDataFile) throw unfit('it keeps its data in another file');
  if (header.isEncrypted) throw unfit('it is encrypted');
  if (header.isCorrupt) throw unfit('it is marked as corrupt');
  if (header.virtualSizeBytes > sizeBytesMax) {
    throw unfit(`it has ${header.virtualSizeBytes} bytes, more than the ${sizeBytesMax} it is to have`);
  }
  const found = header.backingFile === null ? 'no image' : basename(header.backingFile);
  const wanted = imagePath === null ? 'no image' : basename(imagePath);
  if (found !== wanted) throw unfit(`it rests on ${found} instead of ${wanted}`);
}

/** It rests on what it was put on and nothing else, and its tables do not contradict each other. */
async function assertSound(qemuImg: QemuImg, { file, imagePath }: AdoptedDisk): Promise<void> {
  const { backingFile } = await inspectOverlay(qemuImg, file);
  if (backingFile !== imagePath) throw unfit('it does not rest on its image');
  const args = ['check', '-q', '-f', 'qcow2', '--', `file:${file}`];
  await runTool(qemuImg.path, args, CHECK_TIMEOUT_MS).catch((thrown: unknown) => {
    const { code, cause, message } = thrown as DomainError;
    if (code === 'deadline_exceeded') throw thrown;
    if ((cause as { code?: number }).code === EXIT_LEAKS) return;
    throw unfit(`its tables are damaged: ${message}`);
  });
}

const unfit = (what: string): DomainError => new DomainError('image_invalid', `the disk cannot be taken over: ${what}`);

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isFile(),
    () => false,
  );
