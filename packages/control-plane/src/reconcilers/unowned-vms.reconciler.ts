import { nextOnResult } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { lockUnownedVms, setVmState } from './unowned-vms.store.js';

const VMS_PER_PASS_MAX = 100;

/**
 * VMs left in a transitional state by an operation that has ended are settled as unwound, so that nobody has to edit rows.
 * They keep what they hold: nobody knows what is on their host. Returns how many there were; each is an event and a warning.
 */
export async function reconcileUnownedVms(cp: Pick<ControlPlane, 'database' | 'log'>): Promise<number> {
  return withTransaction(cp.database, async (tx) => {
    const vms = await lockUnownedVms(tx, VMS_PER_PASS_MAX);
    for (const vm of vms) {
      const state = nextOnResult(vm.state, 'unwound');
      if (state === null) throw new TypeError(`${vm.state} is transitional and has no result "unwound"`);
      const message = `the VM was left ${vm.state} by an operation that has ended`;
      await setVmState(tx, vm, state, { code: 'bug', message, details: { operationId: vm.operation_id } });
      await recordEvent(tx, {
        type: 'vm.state',
        projectId: vm.project_id,
        resourceKind: 'vm',
        resourceId: vm.id,
        data: { from: vm.state, to: state, repaired: true, operationId: vm.operation_id },
      });
      cp.log.error({ vmId: vm.id, state: vm.state, operationId: vm.operation_id }, message);
    }
    return vms.length;
  });
}
