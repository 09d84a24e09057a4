// The guest image `tiny`: Debian's cloud kernel, busybox and the real QEMU guest agent on a 64 MiB disk that boots by BIOS.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, copyFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { makeBootDisk } from './boot-disk.mjs';
import { encodeCpio } from './cpio-archive.mjs';
import { librariesOf, unpackPackages } from './debian-packages.mjs';
import { orderModules } from './kernel-modules.mjs';

const MIB = 1024 * 1024;
const ROOT_BYTES = 47 * MIB; // with the gap before it 48 MiB, the image's virtual size
const PACKAGES = ['linux-image-cloud-amd64', 'busybox-static', 'qemu-guest-agent', 'grub-pc-bin', 'grub-common'];
// Libraries and the kernel itself; not the scripts and services that a real installation also wants.
const isWanted = (name) => /^(lib|zlib|linux-image-)/.test(name);
// What is needed to reach the root disk, and what can wait until it is there.
const EARLY_MODULES = ['virtio_pci', 'virtio_blk', 'ext4'];
const LATE_MODULES = [
  'virtio_console',
  'virtio_balloon',
  'virtio_rng',
  'evdev',
  'button',
  'virtio_net',
  'virtio_mem',
  'virtio_scsi',
  'sr_mod',
  'isofs',
];

const moduleFiles = (modules) => [
  { fileName: 'order', content: Buffer.from(`${modules.map((module) => module.fileName).join('\n')}\n`) },
  ...modules,
];

const makeInitrd = (modules, busyboxFile, recipeDir) => {
  const folders = ['bin', 'dev', 'root', 'modules'].map((name) => ({ name, kind: 'directory' }));
  const files = moduleFiles(modules).map(({ fileName, content }) => ({
    name: `modules/${fileName}`,
    kind: 'file',
    content,
  }));
  return encodeCpio([
    ...folders,
    // The kernel opens the console before anything is mounted.
    { name: 'dev/console', kind: 'device', device: { major: 5, minor: 1 } },
    { name: 'bin/busybox', kind: 'program', content: readFileSync(busyboxFile) },
    { name: 'init', kind: 'program', content: readFileSync(path.join(recipeDir, 'early-init')) },
    ...files,
  ]);
};

const installProgram = async (source, target) => {
  await copyFile(source, target);
  await chmod(target, 0o755);
};

const fillRoot = async ({ contentDir, packagesDir, recipeDir, modules, kernelFile, initrd }) => {
  const at = (...names) => path.join(contentDir, ...names);
  for (const name of [
    'bin',
    'boot/grub',
    'dev',
    'etc/acpi/PWRF',
    'lib64',
    'lib',
    'modules',
    'proc',
    'run',
    'sys',
    'tmp',
    'var/lib',
    'sbin',
  ]) {
    mkdirSync(at(name), { recursive: true });
  }
  const busybox = path.join(packagesDir, 'bin/busybox');
  await installProgram(busybox, at('bin/busybox'));
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') await symlink('busybox', at('bin', applet));
  }
  await installProgram(path.join(packagesDir, 'usr/sbin/qemu-ga'), at('bin/qemu-ga'));
  const { loader, libraries } = await librariesOf(packagesDir, 'usr/sbin/qemu-ga');
  await installProgram(loader, at('lib64/ld-linux-x86-64.so.2'));
  for (const [name, file] of libraries) await installProgram(file, at('lib', name));
  for (const { fileName, content } of moduleFiles(modules)) await writeFile(at('modules', fileName), content);
  await installProgram(path.join(recipeDir, 'init'), at('init'));
  await installProgram(path.join(recipeDir, 'read-seed'), at('sbin/read-seed'));
  await installProgram(path.join(recipeDir, 'shutdown'), at('sbin/shutdown'));
  // The name of this file is the event busybox acpid makes of the power button: type, code and value as in its table.
  await installProgram(path.join(recipeDir, 'shutdown'), at('etc/acpi/PWRF/00000080'));
  await copyFile(path.join(recipeDir, 'grub.cfg'), at('boot/grub/grub.cfg'));
  await copyFile(kernelFile, at('boot/vmlinuz'));
  await writeFile(at('boot/initrd'), initrd);
};

/** Builds the raw disk `file` from `recipeDir`, working in `workDir`. */
export const buildTinyDisk = async ({ file, recipeDir, workDir, report }) => {
  const packagesDir = path.join(workDir, 'packages');
  report("downloading the guest's Debian packages");
  await unpackPackages({ packageNames: PACKAGES, isWanted, dir: path.join(workDir, 'debs'), rootDir: packagesDir });
  const version = readdirSync(path.join(packagesDir, 'lib/modules'))[0];
  const modulesDir = path.join(packagesDir, 'lib/modules', version);
  const busybox = path.join(packagesDir, 'bin/busybox');
  report("putting the guest's disk together");
  const early = orderModules({ modulesDir, names: EARLY_MODULES, busybox });
  const earlyNames = new Set(early.map((module) => module.fileName));
  const late = orderModules({ modulesDir, names: LATE_MODULES, busybox }).filter(
    (module) => !earlyNames.has(module.fileName),
  );
  const contentDir = path.join(workDir, 'root');
  const initrd = gzipSync(makeInitrd(early, busybox, recipeDir), { level: 9 });
  const kernelFile = path.join(packagesDir, 'boot', `vmlinuz-${version}`);
  await fillRoot({ contentDir, packagesDir, recipeDir, modules: late, kernelFile, initrd });
  await makeBootDisk({ file, contentDir, sizeBytes: ROOT_BYTES, grubRoot: packagesDir, workDir });
};
