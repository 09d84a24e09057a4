// Debian packages that the checkout needs on the machine. Only what is missing is installed, and only packages that start no
// service: the machine's own PostgreSQL, Redis or libvirt are neither needed nor touched.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { runCommand } from '../progress/run-command.mjs';
import { addBackports } from './debian-backports.mjs';

const run = promisify(execFile);

// Older releases lose guest memory in live migration under emulation (seen with 7.2), so none below is used.
const QEMU_MAJOR_MIN = 10;
const QEMU_PACKAGES = ['qemu-system-x86', 'qemu-utils'];

/** To run: a program that shows the package is there, however it was installed. */
const RUN_PACKAGES = {
  'ca-certificates': '/etc/ssl/certs/ca-certificates.crt',
  e2fsprogs: 'mke2fs', // makes the guest image's file system
  'util-linux': 'setpriv',
  xorriso: 'xorriso', // makes seed disks for cloud-init
};
/** To test, on top of that. */
const TEST_PACKAGES = {
  'btrfs-progs': 'mkfs.btrfs', // a file system that shares blocks, in a file
  // Carries the server under another name; the package redis-server would start one on port 6379.
  'redis-tools': 'redis-check-rdb',
  'dnsmasq-base': 'dnsmasq', // without the service that the package dnsmasq starts
  gcc: 'gcc', // compares our native constants with the kernel's headers
  iproute2: 'ip', // makes networks of hosts, in namespaces
  'libc6-dev': '/usr/include/x86_64-linux-gnu/sys/types.h',
  'linux-libc-dev': '/usr/include/linux/kvm.h',
  nasm: 'nasm', // assembles the guests of the driver's tests
  nftables: 'nft',
  procps: 'sysctl',
  // Few VMs ask for UEFI or a TPM: a host that has none says so, and what `npm run up` installs stays small.
  ovmf: '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd',
  swtpm: 'swtpm',
};

const SEARCH_PATH = [...new Set([...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'])];

const isThere = (evidence) =>
  evidence.startsWith('/') ? existsSync(evidence) : SEARCH_PATH.some((dir) => existsSync(path.join(dir, evidence)));

/** Major release of a QEMU program, or 0 when there is none. */
const qemuMajor = (program) => {
  try {
    const text = execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(/version (\d+)\./.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
};

const isQemuFit = () => ['qemu-system-x86_64', 'qemu-img'].every((program) => qemuMajor(program) >= QEMU_MAJOR_MIN);

/** What is missing for `purpose` ('run' or 'test'): names of packages; QEMU's are missing too when it is too old. */
export const findMissingPackages = (purpose) => {
  const wanted = { ...RUN_PACKAGES, ...(purpose === 'test' ? TEST_PACKAGES : {}) };
  const missing = Object.keys(wanted).filter((name) => !isThere(wanted[name]));
  return isQemuFit() ? missing : [...missing, ...QEMU_PACKAGES];
};

const explainWhyNot = (missing) => {
  if (process.arch !== 'x64') return `Kvorum runs on x86-64; this machine is ${process.arch}`;
  const list = missing.join(' ');
  if (!existsSync('/etc/debian_version') || !isThere('apt-get')) {
    return `this is not Debian: install by its own means what Debian calls ${list} (QEMU ${QEMU_MAJOR_MIN} or newer), then try again`;
  }
  if (process.geteuid() !== 0)
    return `missing Debian packages: ${list}. Only root may install them: run this as root once`;
  return null;
};

/** Major release of the QEMU that apt would install now. */
const candidateQemuMajor = async () => {
  const { stdout } = await run('apt-cache', ['policy', 'qemu-system-x86'], { env: { ...process.env, LC_ALL: 'C' } });
  return Number(/Candidate: (?:\d+:)?(\d+)\./.exec(stdout)?.[1] ?? 0);
};

const codename = () => /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';

const aptGet = (args, { report, signal }) =>
  runCommand(['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0', ...args], {
    log: 'packages',
    onLine: report,
    signal,
    env: { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
  });

/** Installs QEMU from the release itself if that is new enough, else from its official backports. */
const installQemu = async (options) => {
  const install = ['install', '--no-install-recommends'];
  if ((await candidateQemuMajor()) >= QEMU_MAJOR_MIN) return aptGet([...install, ...QEMU_PACKAGES], options);
  const suite = `${codename()}-backports`;
  const added = addBackports(suite);
  if (added) {
    options.note(
      `  QEMU ${QEMU_MAJOR_MIN} or newer is in ${suite}; added ${added.file}:\n${added.text.replaceAll(/^/gm, '    ')}`,
    );
    await aptGet(['update'], options);
  }
  await aptGet([...install, '-t', suite, ...QEMU_PACKAGES], options);
};

/**
 * Installs what is missing for `purpose`. `note(text)` says what changes on the machine, `report(text)` what happens now.
 * Returns the names of what it installed.
 */
export const installMissingPackages = async (purpose, { note, report = () => {}, signal }) => {
  const missing = findMissingPackages(purpose);
  if (missing.length === 0) return [];
  const reason = explainWhyNot(missing);
  if (reason !== null) throw new Error(reason);
  const options = { note, report, signal };
  await aptGet(['update'], options);
  const ordinary = missing.filter((name) => !QEMU_PACKAGES.includes(name));
  if (ordinary.length > 0) await aptGet(['install', '--no-install-recommends', ...ordinary], options);
  if (ordinary.length < missing.length) await installQemu(options);
  if (!isQemuFit()) {
    throw new Error(
      `QEMU ${QEMU_MAJOR_MIN} or newer is needed; apt on ${codename()} installed ${qemuMajor('qemu-system-x86_64') || 'none'}.` +
        ' See .kvorum/logs/packages.log; another qemu-system-x86_64 earlier in PATH would also explain it',
    );
  }
  return missing;
};
