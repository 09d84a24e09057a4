import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { CHANGE_MS_MAX, DATA_DISK, type DebianSite, type Guest } from './debian-site.js';

export const LINE_BYTES = 4096;
const DIGITS = 9;
export const DATA_FOLDER = '/srv/data';
/** On the root disk and on the data disk, as the guest names them. */
export const ROOT_FILE = '/var/lib/written';
export const DATA_FILE = `${DATA_FOLDER}/written`;
/** Enough of them that the journals of both file systems are at work. */
const LINES_MIN = 60;

/** What stands at a place says which place it is. The guest's program says the same. */
export const lineOf = (index: number): string =>
  `${`${String(index).padStart(DIGITS, '0')} `.padEnd(LINE_BYTES - 1, String.fromCharCode(97 + (index % 26)))}\n`;

/** Writes a line to each file, has it flushed, and only then says so. */
const WRITER = `import os, sys
index = int(sys.argv[1])
def line(index):
    return (b"%0${DIGITS}d " % index).ljust(${LINE_BYTES - 1}, bytes([97 + index % 26])) + b"\\n"
files = [os.open(path, os.O_WRONLY | os.O_CREAT, 0o600) for path in sys.argv[2:]]
while True:
    for file in files:
        os.pwrite(file, line(index), index * ${LINE_BYTES})
        os.fsync(file)
    print(index, flush=True)
    index += 1
`;
const CHECKER = `import sys
for path in sys.argv[2:]:
    with open(path, "rb") as file:
        for index in range(int(sys.argv[1]) + 1):
            line = (b"%0${DIGITS}d " % index).ljust(${LINE_BYTES - 1}, bytes([97 + index % 26])) + b"\\n"
            if file.read(${LINE_BYTES}) != line: sys.exit(f"{path}: line {index}")
`;

export interface Writer {
  /** The last line of which the guest has said, to this side of the wire, that it is flushed. */
  acknowledged(): number;
  /** The connection has ended, by itself or because one of its ends was killed. */
  ended(): Promise<void>;
}

export async function installWriter({ told }: DebianSite, guest: Guest): Promise<void> {
  await told(guest, `blkid ${DATA_DISK} || mkfs.ext4 -q ${DATA_DISK}`);
  await told(guest, `cat >/usr/local/sbin/writer <<'END'\n${WRITER}END`);
  await told(guest, `cat >/usr/local/sbin/checker <<'END'\n${CHECKER}END`);
  // It has said who the guest is; each boot is shorter without it.
  await told(guest, 'touch /etc/cloud/cloud-init.disabled; sync');
}

/** Goes on after the line `acknowledged`, and comes back when there is something of it on the disks. */
export async function startWriter(debian: DebianSite, guest: Guest, acknowledged: number): Promise<Writer> {
  const mounted = `mkdir -p ${DATA_FOLDER} && { mountpoint -q ${DATA_FOLDER} || mount ${DATA_DISK} ${DATA_FOLDER}; }`;
  await debian.told(guest, mounted);
  const child = debian.ssh(guest, `python3 /usr/local/sbin/writer ${acknowledged + 1} ${ROOT_FILE} ${DATA_FILE}`);
  const read = readIndices(child, acknowledged);
  const closed = once(child, 'close');
  await eventually(`${guest} writes`, CHANGE_MS_MAX, () => {
    if (child.exitCode !== null) throw new Error(`the writer of ${guest} ended with ${child.exitCode}`);
    return read.last() >= acknowledged + LINES_MIN;
  });
  return {
    acknowledged: read.last,
    ended: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

/** A line that was cut off is no number. */
function readIndices(child: ChildProcess, first: number): { last(): number } {
  let last = first;
  let rest = '';
  child.stdout?.on('data', (part: Buffer) => {
    const lines = (rest + part.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      expect(Number(line)).toBe(last + 1);
      last += 1;
    }
  });
  return { last: () => last };
}

/** The guest's own fsck takes its disks, and it reads all that it has acknowledged. */
export async function expectWrittenInGuest({ told }: DebianSite, guest: Guest, acknowledged: number): Promise<void> {
  // 1: the journal was played back, or what was open when the power went was closed.
  expect(['0', '1']).toContain(await told(guest, `e2fsck -fp ${DATA_DISK} >&2; echo $?`));
  await told(guest, `mkdir -p ${DATA_FOLDER}; mount ${DATA_DISK} ${DATA_FOLDER}`);
  await told(guest, `python3 /usr/local/sbin/checker ${acknowledged} ${ROOT_FILE} ${DATA_FILE}`);
  expect(await told(guest, 'journalctl -b -k --no-pager | grep -c "EXT4-fs error" || true')).toBe('0');
}
