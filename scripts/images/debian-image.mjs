// The guest image `debian`: a whole Debian with cloud-init, SSH and the QEMU guest agent. Needs root and mmdebstrap.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeBootDisk } from './boot-disk.mjs';
import { unpackPackages } from './debian-packages.mjs';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const ROOT_BYTES = 1535 * MIB; // with the gap before it 1.5 GiB, the image's virtual size
const OUTPUT_BYTES_MAX = 16 * MIB;
const MIRRORS_FILE = '/etc/apt/sources.list.d/debian.sources';
const UNNEEDED = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/info/*'];

const codename = () => /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';

/** Before any package brings a script that makes the initial file system. */
const initrdHook = (recipeDir) => {
  const settings = '"$1"/etc/initramfs-tools/conf.d';
  const modules = '"$1"/usr/share/initramfs-tools/modules.d';
  return [
    `mkdir -p ${settings} ${modules}`,
    `echo MODULES=list >${settings}/kvorum`,
    `cp '${path.join(recipeDir, 'initrd-modules')}' ${modules}/kvorum`,
  ].join(' && ');
};

/** Builds the raw disk `file` from `recipeDir`, working in `workDir`. */
export const buildDebianDisk = async ({ file, recipeDir, workDir, report }) => {
  if (process.geteuid() !== 0)
    throw new Error("only root can build the guest image `debian`: its packages' scripts run");
  const packages = readFileSync(path.join(recipeDir, 'packages'), 'utf8').trim().split('\n');
  const contentDir = path.join(workDir, 'root');
  const grubRoot = path.join(workDir, 'grub');
  await mkdir(grubRoot, { recursive: true });
  report('installing Debian into a folder; takes minutes');
  const options = [
    ...['--variant=minbase', '--mode=root', '--format=directory', `--include=${packages.join(',')}`],
    '--aptopt=Apt::Install-Recommends "false"',
    // The root is thrown away if this is cut off: dpkg need not wait for the disk after each file.
    '--dpkgopt=force-unsafe-io',
    ...UNNEEDED.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    `--essential-hook=${initrdHook(recipeDir)}`,
    `--customize-hook=${path.join(recipeDir, 'customise')}`,
  ];
  const env = { ...process.env, TMPDIR: workDir };
  await run('mmdebstrap', [...options, codename(), contentDir, MIRRORS_FILE], { env, maxBuffer: OUTPUT_BYTES_MAX });
  await unpackPackages({
    packageNames: ['grub-pc-bin', 'grub-common'],
    isWanted: (name) => /^(lib|zlib)/.test(name),
    dir: path.join(workDir, 'debs'),
    rootDir: grubRoot,
  });
  report("putting the guest's disk together");
  await makeBootDisk({ file, contentDir, sizeBytes: ROOT_BYTES, grubRoot, workDir, isGrowing: true });
};
