import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIB } from '@kvorum/schema';

const sourceOf = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}.asm`, import.meta.url));

/**
 * A folder under /tmp, whatever TMPDIR says: run folders must be short (unix sockets). `remove` ends each QEMU that
 * still has the folder among its arguments, by its pid, so that a failed test leaves nothing behind.
 */
export function openScratch(): { path: string; remove: () => void } {
  const path = mkdtempSync('/tmp/kv-');
  // Users of VMs pass through it.
  chmodSync(path, 0o711);
  return {
    path,
    remove: () => {
      const left = [...pidsWithArgument(`${path}/`), ...pidsOf('/usr/bin/swtpm', `${path}/`)];
      for (const pid of left) process.kill(pid, 'SIGKILL');
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Processes of QEMU with the text among their arguments. */
export const pidsWithArgument = (text: string): number[] => pidsOf('/usr/bin/qemu-system-x86_64', text);

/** Processes of TPMs whose socket lies in the run folder. */
export const tpmPidsOf = (runDir: string): number[] => pidsOf('/usr/bin/swtpm', `path=${runDir}/`);

function pidsOf(program: string, text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const commandLine = commandLineOf(pid);
      return commandLine.startsWith(`${program}\0`) && commandLine.includes(text);
    });
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const SOURCE_SIZE_BYTES = MIB;

interface GuestOptions {
  readonly powerOffAfter?: number;
  readonly isWriting?: boolean;
  readonly source?: 'counting-guest' | 'watchdog-guest';
}

/** Assembles the guest and makes a bootable qcow2 of it. `powerOffAfter`: it powers off by itself after so many counts; `isWriting`: it writes to its disk. */
export function buildGuestImage(folder: string, options: GuestOptions = {}): string {
  const { source = 'counting-guest' } = options;
  const name = `${source}-${options.powerOffAfter ?? 'endless'}${options.isWriting === true ? '-writing' : ''}`;
  const raw = join(folder, `${name}.raw`);
  const image = join(folder, `${name}.qcow2`);
  const define = options.powerOffAfter === undefined ? [] : [`-DPOWER_OFF_AFTER=${options.powerOffAfter}`];
  if (options.isWriting === true) define.push('-DWRITE_DISK');
  execFileSync('nasm', ['-f', 'bin', ...define, '-o', raw, sourceOf(source)]);
  truncateSync(raw, SOURCE_SIZE_BYTES);
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image]);
  rmSync(raw);
  return image;
}
