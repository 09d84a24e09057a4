import { constants } from 'node:fs';
import { open, stat, symlink } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { callFailure, libc } from '../sys/libc.js';
import { options } from './option-string.js';
import type { RunFolder } from './run-folder.js';

/**
 * The serial console's two directions are apart, so that nobody who reads can ever hold up the guest: QEMU writes what the guest
 * prints to its console log alone (the far end of the chardev's output is /dev/null), and takes what is typed from a FIFO. A socket
 * would do both, but its client that stops reading stalls the guest after some 278 bytes.
 *
 * QEMU opens the FIFO for reading and writing (chardev `pipe`), so it outlives every agent that writes to it, and sees no end of file.
 */
export const serialChardev = (folder: RunFolder): string =>
  // logappend: the log goes on over restarts of the VM, and may be trimmed beneath QEMU (trim-console.ts).
  options('pipe', { id: 'console', path: folder.serialLine, logfile: folder.consoleLog, logappend: 'on' });

const FIFO_MODE = 0o600;
const NULL_DEVICE = '/dev/null';
const EVERYBODY = 0o666;

/** Makes the far ends of the serial line, in a folder that only the agent can write to yet. */
export async function makeSerialLine(folder: RunFolder): Promise<void> {
  if (libc().mkfifo(folder.serialInput, FIFO_MODE) !== 0) throw callFailure('making the input of the serial console');
  await assertOpenToEverybody(NULL_DEVICE);
  await symlink(NULL_DEVICE, folder.serialOutput);
}

/** QEMU would only say that it found no file, and of another name (it tries the path without `.out` next). */
async function assertOpenToEverybody(device: string): Promise<void> {
  const mode = (await stat(device)).mode & 0o777;
  if ((mode & EVERYBODY) === EVERYBODY) return;
  throw new DomainError(
    'host_fault',
    `${device} has mode 0${mode.toString(8)}, so the users of VMs cannot open it: run \`chmod 0666 ${device}\` on the host`,
  );
}

/** Port: ConsolePort.writeSerial. */
export async function writeSerial(folder: RunFolder, data: Uint8Array): Promise<number> {
  const fifo = await openInput(folder);
  try {
    const { bytesWritten } = await fifo.write(data);
    return bytesWritten;
  } catch (thrown) {
    // Full: the guest does not read what was typed before.
    if ((thrown as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw new DomainError('host_fault', 'the serial console takes no input', { cause: thrown });
  } finally {
    await fifo.close();
  }
}

async function openInput(folder: RunFolder): ReturnType<typeof open> {
  try {
    // Not blocking: without a reader open(2) would wait for one, and a full pipe would hold up a thread.
    return await open(folder.serialInput, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') {
      const message = 'this run of the VM was started without an input for its serial console: stop and start the VM';
      throw new DomainError('conflict_state', message);
    }
    throw new DomainError('host_fault', 'the serial console takes no input', { cause: thrown });
  }
}
