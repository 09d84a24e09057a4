import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { eventually } from './eventually.js';
import type { Site, TestHost } from './site.js';

/** QEMU processes of this host, found by its run folder in their command lines, whatever the agent believes. */
export function qemuPids(host: Pick<TestHost, 'runDir'>): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      return words.startsWith('qemu-system') || words.includes('/qemu-system')
        ? words.includes(host.runDir)
          ? [Number(entry)]
          : []
        : [];
    } catch {
      return [];
    }
  });
}

/** As the agent names it: cgroupParentOf. */
export const controlGroupParent = (host: Pick<TestHost, 'stateDir'>): string =>
  `kvorum-${createHash('sha256').update(host.stateDir).digest('hex').slice(0, 8)}`;

/** Those of all VMs of this host lie below, in whichever tree is mounted. */
const controlGroupParents = (host: Pick<TestHost, 'stateDir'>): string[] =>
  ['', 'cpu', 'memory', 'pids']
    .map((hierarchy) => path.join('/sys/fs/cgroup', hierarchy, controlGroupParent(host)))
    .filter((folder) => existsSync(folder));

/** Control groups of this host's VMs, empty or not. */
const controlGroups = (host: Pick<TestHost, 'stateDir'>): string[] =>
  controlGroupParents(host).flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(folder, entry.name)),
  );

/** For the end of a test: groups of processes that it ended itself, and the folder above them. */
export async function removeControlGroups(host: Pick<TestHost, 'stateDir'>): Promise<void> {
  await eventually('the control groups are empty', 5_000, async () => {
    for (const group of [...controlGroups(host), ...controlGroupParents(host)]) {
      try {
        rmdirSync(group);
      } catch {
        return undefined;
      }
    }
    return true;
  });
}

const filesBelow = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => path.join(entry.parentPath, entry.name))
    : [];

/** Everything of VMs that is still on the hosts or claimed in the database. Empty when nothing is left over. */
export async function leftovers(site: Site): Promise<string[]> {
  const found: string[] = [];
  for (const host of site.hosts) {
    found.push(...qemuPids(host).map((pid) => `QEMU process ${pid} of ${host.name}`));
    found.push(...controlGroups(host).map((group) => `${host.name}: control group ${group}`));
    found.push(...filesBelow(host.runDir).map((file) => `${host.name}: ${file}`));
    found.push(...filesBelow(path.join(host.stateDir, 'disks')).map((file) => `${host.name}: ${file}`));
    // What is remembered of templates that were removed stays for a week.
    const templates = filesBelow(path.join(host.stateDir, 'templates')).filter((file) => !file.endsWith('.removed'));
    found.push(...templates.map((file) => `${host.name}: ${file}`));
  }
  const client = new pg.Client({ connectionString: site.databaseUrl });
  await client.connect();
  try {
    const reservations = await client.query('SELECT vm_id FROM reservations');
    found.push(...reservations.rows.map((row) => `reservation of VM ${row.vm_id}`));
    const hosts = await client.query(
      'SELECT name FROM hosts WHERE reserved_vcpu_count <> 0 OR reserved_memory_bytes <> 0 OR reserved_disk_bytes <> 0',
    );
    found.push(...hosts.rows.map((row) => `claimed capacity of host ${row.name}`));
    const projects = await client.query(
      'SELECT name FROM projects WHERE used_vcpu_count <> 0 OR used_memory_bytes <> 0 OR used_disk_bytes <> 0',
    );
    found.push(...projects.rows.map((row) => `used quota of project ${row.name}`));
    const volumes = await client.query('SELECT id FROM volumes WHERE deleted_at IS NULL');
    found.push(...volumes.rows.map((row) => `volume ${row.id}`));
    const templates = await client.query('SELECT id FROM vm_templates WHERE deleted_at IS NULL');
    found.push(...templates.rows.map((row) => `template ${row.id}`));
  } finally {
    await client.end();
  }
  return found;
}
