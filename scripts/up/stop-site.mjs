// The way down, in the reverse order of the way up: VMs, agents, control plane, PostgreSQL.
import { deleteVm } from './demo-vm.mjs';
import { endQemuProcesses } from './leftovers.mjs';
import { forgetProcesses } from './site-state.mjs';

const VM_STOP_GRACE_MS = 10_000;
const VMS_STOP_TIMEOUT_MS = 60_000;
const RUNNING_STATES = new Set(['running', 'paused']);

/** VMs that somebody else made meanwhile are stopped and keep their disks. */
const stopOtherVms = async ({ api, demoVmId, callSignal, report }) => {
  const vms = await api.list('/v1/vms', {}, { callSignal });
  const running = vms.filter((vm) => vm.id !== demoVmId && RUNNING_STATES.has(vm.state));
  const stop = async (vm) => {
    const body = { graceMs: VM_STOP_GRACE_MS };
    const { operation } = await api.call('POST', `/v1/vms/${vm.id}/stop`, { body, callSignal });
    await api.waitForOperation(operation, { report, callSignal });
  };
  await Promise.all(running.map(stop));
  return running.length;
};

const endVms = async ({ api, demoVmId }, report) => {
  const callSignal = AbortSignal.timeout(VMS_STOP_TIMEOUT_MS);
  if (demoVmId) await deleteVm({ api, vmId: demoVmId, report, callSignal });
  const stoppedCount = await stopOtherVms({ api, demoVmId, callSignal, report });
  return stoppedCount > 0 ? { note: `${stoppedCount} other VMs stopped; their disks are kept` } : {};
};

/**
 * `site`: { api, demoVmId, hosts, controlPlane, postgres }, each only if it was started. Goes on after a failure: what can be
 * ended is ended. Returns the failures.
 */
export const stopSite = async (progress, site) => {
  if (!site.postgres) return []; // it is started first
  const failures = [];
  const attempt = (title, run) =>
    progress.step(title, run).catch((error) => {
      failures.push(`${title}: ${error.message}`);
    });
  if (site.api && site.hosts.length > 0) {
    await attempt(site.demoVmId ? 'delete the VM' : 'stop VMs', (report) => endVms(site, report));
  }
  await attempt('stop hosts, control plane and PostgreSQL', async () => {
    await Promise.all(site.hosts.map((host) => host.stop()));
    await site.controlPlane?.stop();
    const leftCount = await endQemuProcesses();
    await site.postgres?.stop();
    return leftCount > 0 ? { note: `QEMU processes ended hard: ${leftCount}` } : {};
  });
  if (failures.length === 0) forgetProcesses();
  return failures;
};
