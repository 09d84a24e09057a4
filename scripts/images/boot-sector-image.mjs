// The guest image `boot-sector`: 512 bytes of real-mode code on a 1 MiB disk, assembled by nasm from Debian's package.
import { execFile } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { commandInRoot, unpackPackages } from './debian-packages.mjs';

const run = promisify(execFile);
const DISK_BYTES = 1024 * 1024;
const SECTOR_BYTES = 512;

/** Builds the raw disk `file` from `recipeDir`, working in `workDir`. */
export const buildBootSectorDisk = async ({ file, recipeDir, workDir, report }) => {
  const rootDir = path.join(workDir, 'packages');
  report('downloading the assembler from Debian');
  const isWanted = (name) => name === 'libc6';
  await unpackPackages({ packageNames: ['nasm'], isWanted, dir: path.join(workDir, 'debs'), rootDir });
  const sectorFile = path.join(workDir, 'sector.bin');
  const [loader, ...rest] = commandInRoot(rootDir, 'usr/bin/nasm');
  await run(loader, [...rest, '-f', 'bin', '-o', sectorFile, path.join(recipeDir, 'boot-sector.asm')]);
  const sector = await readFile(sectorFile);
  if (sector.length !== SECTOR_BYTES)
    throw new Error(`the boot sector has ${sector.length} bytes, not ${SECTOR_BYTES}`);
  const disk = await open(file, 'w');
  try {
    await disk.truncate(DISK_BYTES);
    await disk.write(sector, 0, SECTOR_BYTES, 0);
  } finally {
    await disk.close();
  }
};
