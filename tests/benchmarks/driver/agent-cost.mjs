import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLine, openBenchSite, processesWith, untilDone } from '../bench-site.mjs';
import { end, haltingImage, MIB, proportionalBytes, residentBytes, startByHand } from './bench-vm.mjs';

const VM_COUNT = 50;
const CREATES_AT_ONCE = 5;
const WATCH_MS = 30_000;
const SETTLE_MS = 5_000;
/** sysconf(_SC_CLK_TCK), the unit of /proc/<pid>/stat, on every x86 kernel. */
const TICKS_PER_S = 100;
const UTIME_FIELD = 14;

/** The agent of a real site: what it costs without VMs and with 50 whose guests have halted, and what each VM adds to memory. */
export async function measureAgent(folder) {
  // Guests that halt need no CPU: more are promised than four per CPU.
  const site = await openBenchSite({ capacityVcpus: VM_COUNT });
  try {
    const empty = await watch(site.agentPid);
    await createVms(site.rest, haltingImage(folder));
    await delay(SETTLE_MS);
    const full = await watch(site.agentPid);
    const pids = processesWith(`${site.runDir}/`).filter((pid) => commandLine(pid).includes('qemu-system'));
    if (pids.length !== VM_COUNT) throw new Error(`${pids.length} of ${VM_COUNT} VMs run`);
    const qemuBytes = pids.reduce((sum, pid) => sum + proportionalBytes(pid), 0) / pids.length;
    const bareBytes = await bareQemu(pids[0], folder);
    const mib = (bytes) => `${(bytes / MIB).toFixed(2)} MiB`;
    return [
      { what: 'CPU of the agent without VMs', value: `${empty.cpuPercent.toFixed(2)} % of one CPU`, beside: '' },
      {
        what: `CPU of the agent with ${VM_COUNT} idle VMs`,
        value: `${full.cpuPercent.toFixed(2)} % of one CPU`,
        beside: `${((full.cpuPercent - empty.cpuPercent) / VM_COUNT).toFixed(3)} % per VM`,
      },
      { what: 'memory of the agent without VMs', value: mib(empty.bytes), beside: '' },
      { what: 'memory of the agent per VM', value: mib((full.bytes - empty.bytes) / VM_COUNT), beside: '' },
      { what: 'memory of QEMU per VM', value: mib(qemuBytes), beside: `by hand: ${mib(bareBytes)}` },
    ];
  } finally {
    await site.close();
  }
}

async function watch(pid) {
  const ticksOf = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return Number(fields[UTIME_FIELD - 3]) + Number(fields[UTIME_FIELD - 2]);
  };
  const [before, beginMs] = [ticksOf(), performance.now()];
  await delay(WATCH_MS);
  const seconds = (performance.now() - beginMs) / 1000;
  return { cpuPercent: ((ticksOf() - before) / TICKS_PER_S / seconds) * 100, bytes: residentBytes(pid) };
}

async function createVms(rest, imagePath) {
  const content = readFileSync(imagePath);
  const image = await rest('POST', '/v1/images', {
    name: 'halt',
    sha256: createHash('sha256').update(content).digest('hex'),
  });
  await rest('PUT', `/v1/images/${image.id}/content`, content);
  const flavor = await rest('POST', '/v1/flavors', {
    name: 'idle',
    vcpuCount: 1,
    memoryBytes: 32 * MIB,
    rootDiskBytes: MIB,
  });
  for (let count = 0; count < VM_COUNT; count += CREATES_AT_ONCE) {
    const bodies = Array.from({ length: Math.min(CREATES_AT_ONCE, VM_COUNT - count) }, (_, index) => ({
      name: `vm-${count + index}`,
      imageId: image.id,
      flavorId: flavor.id,
    }));
    const accepted = await Promise.all(bodies.map((body) => rest('POST', '/v1/vms', body)));
    await Promise.all(accepted.map(({ operation }) => untilDone(rest, operation)));
  }
}

/** Memory of a QEMU with the same arguments, beside the 50 so that it shares its code with them as they do. */
async function bareQemu(pid, folder) {
  const line = commandLine(pid);
  const runDir = /(\/run\/kvorum\/b\d+\/[0-9a-f-]{36})/.exec(line)[1];
  const diskPath = /"([^"]*\/disks\/[^"]*\.qcow2)"/.exec(line)[1];
  const { child, qmp } = await startByHand(line.split('\0').slice(0, -1), { runDir, diskPath }, folder);
  try {
    await qmp.execute('cont');
    await delay(SETTLE_MS);
    return proportionalBytes(child.pid);
  } finally {
    qmp.close();
    await end(child);
  }
}
