// PostgreSQL refuses to run as root. When we are root its processes run as somebody else, in the first of two ways that
// works here:
//  - a user namespace in which our own uid carries another number. To the kernel it stays root's own file access, so the data
//    folder and the binaries may lie below /root; to PostgreSQL geteuid() is not 0.
//  - setpriv with an account of the system. It must be able to reach binaries and data, which are then kept below
//    /var/lib/kvorum.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

const OUTSIDE_DIR = '/var/lib/kvorum';
// initdb looks its uid up in passwd, so the number must have a name there. Both exist on every Debian.
const ACCOUNT_NAMES = ['daemon', 'nobody'];

const findAccount = () => {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ACCOUNT_NAMES) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error(
    `PostgreSQL must not run as root, and /etc/passwd has none of these accounts: ${ACCOUNT_NAMES.join(', ')}`,
  );
};

const succeeds = (command) => {
  try {
    execFileSync(command[0], command.slice(1), { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Copies the binaries to where an unprivileged account can read them; whole, or not at all under the final name. */
const publishBinaries = (nativeDir, version) => {
  const target = path.join(OUTSIDE_DIR, `postgresql-${version}`);
  if (existsSync(target)) return target;
  const draft = `${target}.${process.pid}`;
  cpSync(nativeDir, draft, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(target)) throw error; // else somebody else was faster with the same content
  }
  return target;
};

/** Where the cluster lies when the account cannot reach `clusterDir`; its parent folder is the cluster's alone. */
export const outsideClusterDir = (clusterDir) => {
  const name = createHash('sha256').update(clusterDir).digest('hex').slice(0, 12);
  return path.join(OUTSIDE_DIR, `cluster-${name}`, 'cluster');
};

/**
 * Decides how PostgreSQL's programs are started: `prefix` goes before each command line, `nativeDir` holds the binaries,
 * `clusterDir` the data, `own(path)` gives a file to the account.
 */
export const choosePostgresAccount = ({ nativeDir, version, clusterDir }) => {
  if (process.geteuid() !== 0) return { prefix: [], nativeDir, clusterDir, own: () => {} };
  const { uid, gid } = findAccount();
  const inNamespace = ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--'];
  if (succeeds([...inNamespace, path.join(nativeDir, 'bin', 'postgres'), '--version'])) {
    return { prefix: inNamespace, nativeDir, clusterDir, own: () => {} };
  }
  mkdirSync(OUTSIDE_DIR, { recursive: true, mode: 0o755 });
  const outsideDir = path.dirname(outsideClusterDir(clusterDir));
  mkdirSync(outsideDir, { recursive: true, mode: 0o700 });
  const own = (file) => chownSync(file, uid, gid);
  own(outsideDir);
  return {
    prefix: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'],
    nativeDir: publishBinaries(nativeDir, version),
    clusterDir: outsideClusterDir(clusterDir),
    own,
  };
};
