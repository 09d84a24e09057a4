// A disk that a BIOS can boot, put together byte by byte: no loop device, no mount, no root.
//
//   sector 0          boot.img of GRUB with the partition table (MBR)
//   sectors 1..       core.img of GRUB, in the gap before the first partition
//   1 MiB..           partition 1, ext4
import { execFile } from 'node:child_process';
import { open, readFile, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { commandInRoot } from './debian-packages.mjs';

const run = promisify(execFile);
const SECTOR_BYTES = 512;
const MIB = 1024 * 1024;
const PARTITION_START_BYTES = MIB;
const MBR_CODE_BYTES = 440; // boot code; behind it the disk's signature and the partition table
const MBR_TABLE_OFFSET = 446;
const MBR_SIGNATURE_OFFSET = 510;
const PARTITION_TYPE_LINUX = 0x83;
const MODULES = ['biosdisk', 'part_msdos', 'ext2', 'normal', 'linux', 'boot'];
const GRUB_DIR = 'usr/lib/grub/i386-pc';
// Fixed, so that the same content gives the same file system.
const FILE_SYSTEM_UUID = '6b766f72-756d-4000-8000-74696e790000';
const FIXED_TIME_SECONDS = '1700000000';

// 4096: GRUB reads block by block, so large blocks boot faster. 4 MiB is the smallest journal with them; it makes the disk
// survive a hard stop. 64bit and metadata_csum off: GRUB reads less.
const SMALL = ['-O', '^64bit,^metadata_csum,^metadata_csum_seed,^orphan_file,^resize_inode', '-J', 'size=4'];
// GRUB of Debian 12 reads neither of these two.
const GROWING = ['-O', '^metadata_csum_seed,^orphan_file'];

const makeFileSystem = async (file, sizeBytes, contentDir, features) => {
  await rm(file, { force: true });
  await (await open(file, 'w')).close();
  await truncate(file, sizeBytes);
  const env = { ...process.env, SOURCE_DATE_EPOCH: FIXED_TIME_SECONDS, E2FSPROGS_FAKE_TIME: FIXED_TIME_SECONDS };
  const options = ['-q', '-t', 'ext4', '-b', '4096', ...features, '-m', '0', '-U', FILE_SYSTEM_UUID];
  options.push(
    '-E',
    `hash_seed=${FILE_SYSTEM_UUID},root_owner=0:0,lazy_itable_init=0,nodiscard`,
    '-d',
    contentDir,
    file,
  );
  await run('mke2fs', options, { env: { ...env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` } });
};

const makeBootCode = async (grubRoot, workDir) => {
  const core = path.join(workDir, 'core.img');
  const [loader, ...rest] = commandInRoot(grubRoot, 'usr/bin/grub-mkimage');
  const grubDir = path.join(grubRoot, GRUB_DIR);
  const options = ['-d', grubDir, '-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-o', core, ...MODULES];
  await run(loader, [...rest, ...options]);
  return { boot: await readFile(path.join(grubDir, 'boot.img')), core: await readFile(core) };
};

const partitionEntry = (sizeBytes) => {
  const entry = Buffer.alloc(16);
  entry[0] = 0x80; // active
  entry.fill(0xff, 1, 4); // cylinder/head/sector: not used, addresses are linear
  entry[4] = PARTITION_TYPE_LINUX;
  entry.fill(0xff, 5, 8);
  entry.writeUInt32LE(PARTITION_START_BYTES / SECTOR_BYTES, 8);
  entry.writeUInt32LE(sizeBytes / SECTOR_BYTES, 12);
  return entry;
};

const makeBootSector = (boot, sizeBytes) => {
  const sector = Buffer.alloc(SECTOR_BYTES);
  boot.copy(sector, 0, 0, MBR_CODE_BYTES);
  // boot.img: at 0x66 a jump that is taken when the BIOS says "floppy"; two NOPs make it keep the drive the BIOS names.
  sector.fill(0x90, 0x66, 0x68);
  partitionEntry(sizeBytes).copy(sector, MBR_TABLE_OFFSET);
  sector.writeUInt16LE(0xaa55, MBR_SIGNATURE_OFFSET);
  return sector;
};

/**
 * Writes the raw disk `file`: `contentDir` becomes its root file system of `sizeBytes`, booted by GRUB from `grubRoot`.
 * `isGrowing`: the guest may make it larger.
 */
export const makeBootDisk = async ({ file, contentDir, sizeBytes, grubRoot, workDir, isGrowing = false }) => {
  const { boot, core } = await makeBootCode(grubRoot, workDir);
  if (core.length > PARTITION_START_BYTES - SECTOR_BYTES)
    throw new Error(`GRUB is too large for the gap: ${core.length} bytes`);
  const partition = path.join(workDir, 'root.ext4');
  await makeFileSystem(partition, sizeBytes, contentDir, isGrowing ? GROWING : SMALL);
  const disk = await open(file, 'w');
  try {
    await disk.truncate(PARTITION_START_BYTES + sizeBytes);
    await disk.write(makeBootSector(boot, sizeBytes), 0, SECTOR_BYTES, 0);
    await disk.write(core, 0, core.length, SECTOR_BYTES);
  } finally {
    await disk.close();
  }
  const at = ['bs=1M', `seek=${PARTITION_START_BYTES / MIB}`, 'conv=notrunc,sparse', 'status=none'];
  await run('dd', [`if=${partition}`, `of=${file}`, ...at]);
};
