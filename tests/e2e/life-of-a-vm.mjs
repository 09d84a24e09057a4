// All that an agent does to a VM, by a process that may have few rights; says on standard output what came of it.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openQemuDriver } from '@kvorum/hypervisor-driver';

const { spec, imagePath, options } = JSON.parse(process.argv[2]);
const END_TIMEOUT_MS = 5_000;
const WAIT_MS_MAX = 60_000;

const driver = openQemuDriver(options);
await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 8 * 1024 * 1024, imagePath });
const vm = await driver.launch(spec);
const consoleText = () => readFileSync(path.join(spec.runDir, 'console.log'), 'utf8');
for (const since = Date.now(); !consoleText().includes('COUNT'); await delay(20)) {
  if (Date.now() - since > WAIT_MS_MAX) throw new Error('the guest does not count');
}
const status = readFileSync(`/proc/${vm.pid}/status`, 'utf8');
await vm.release();
const next = openQemuDriver(options);
const adopted = await next.adopt(spec.vmId, spec.runDir);
await adopted.pause();
const { cpus } = (await adopted.queryThreads()).find(({ vcpuIndex }) => vcpuIndex === 0);
await adopted.end(END_TIMEOUT_MS);
const { reason } = await adopted.exited;
// The agent's own look at a disk that belongs to the VM's user.
await next.ensureDisk({ path: spec.diskPath, sizeBytes: 8 * 1024 * 1024, imagePath });
await next.removeDisk(spec.diskPath);
await next.sweep(spec.vmId, spec.runDir);
await next.removeLeftovers();
console.log(
  JSON.stringify({
    user: Number(/^Uid:\s+(\d+)/m.exec(status)[1]),
    capabilities: /^CapEff:\s+(\S+)/m.exec(status)[1],
    adopted: adopted.pid === vm.pid,
    cpus,
    console: true,
    exit: reason,
    isDiskGone: !existsSync(spec.diskPath),
  }),
);
process.exit(0);
