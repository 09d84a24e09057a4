import { execFile } from 'node:child_process';
import { DomainError, GIB, IMAGE_BYTES_MAX, type ImageSourceFormat, MIB } from '@kvorum/schema';
import { cleanLine } from '../plain-text.js';

/** A disk of 2 TiB that is mostly empty takes minutes; one that takes longer is built to take long. */
const CONVERT_MS_MAX = 2 * 3_600_000;
const CPU_SECONDS_MAX = CONVERT_MS_MAX / 1000;
const ADDRESS_SPACE_BYTES_MAX = 4 * GIB;
const OPEN_FILES_MAX = 64;
const WORDS_LENGTH_MAX = 500;
/** QEMU's own names of block drivers. */
const DRIVERS: Readonly<Record<ImageSourceFormat, string>> = {
  qcow2: 'qcow2',
  raw: 'raw',
  vdi: 'vdi',
  vhdx: 'vhdx',
  vhd: 'vpc',
};

/**
 * Writes the disk in `from` as a qcow2 file `to`. The file is hostile: its format is given, never guessed; none of the formats
 * can name another file to QEMU; and the process gets no new privileges (setpriv(1)), little memory, CPU time and room, and an
 * empty environment (prlimit(1)). Throws image_invalid with qemu-img's words, also where the tools are missing (trying again would
 * not help), and payload_too_large where there is no room.
 */
export function convertImage(
  from: string,
  format: ImageSourceFormat,
  to: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const limits = [
    `--as=${ADDRESS_SPACE_BYTES_MAX}`,
    `--cpu=${CPU_SECONDS_MAX}`,
    `--fsize=${IMAGE_BYTES_MAX}`,
    `--nofile=${OPEN_FILES_MAX}`,
    '--core=0',
  ];
  const source = JSON.stringify({ driver: DRIVERS[format], file: { driver: 'file', filename: from } });
  const convert = ['convert', '-O', 'qcow2', `json:${source}`, to];
  const args = [...limits, '--', 'setpriv', '--no-new-privs', 'qemu-img', ...convert];
  return new Promise((resolve, reject) => {
    const bounds = { timeout: CONVERT_MS_MAX, killSignal: 'SIGKILL', maxBuffer: MIB } as const;
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
    execFile('prlimit', args, { ...bounds, env, ...(signal === undefined ? {} : { signal }) }, (error, _, stderr) => {
      if (error === null) return resolve();
      const words = cleanLine(stderr.replaceAll(from, 'the file').replaceAll(to, 'the result'), WORDS_LENGTH_MAX);
      if ('code' in error && error.code === 'ENOENT') return reject(missingTool('util-linux'));
      // setpriv(1): 127 where the program is not there.
      if (/setpriv.*qemu-img/.test(words)) return reject(missingTool('qemu-utils'));
      if (words.includes('No space left on device')) return reject(noRoom());
      reject(new DomainError('image_invalid', `the image cannot be converted: ${words || error.message}`));
    });
  });
}

const missingTool = (packageName: string): DomainError =>
  new DomainError(
    'image_invalid',
    `images other than qcow2 are converted on this machine, which needs Debian's package ${packageName}; or convert it first`,
  );

/** Ends an operation that fetches: it would fetch everything again only to find as little room. */
export const noRoom = (): DomainError =>
  new DomainError(
    'payload_too_large',
    'there is no room for the image in the data folder of the control plane: make some, and send it again',
  );
