import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import type { QemuVm } from '../qemu-vm.js';
import { plugCards } from './network-cards.js';

const OVER: ReadonlySet<string | null> = new Set([null, 'none', 'completed', 'failed', 'cancelled']);
const POLL_MS = 5;
const CANCEL_TIMEOUT_MS = 10_000;

/**
 * Driver port: HypervisorDriver.endFreeze. The stream is stopped first: one that ends after the VM went on would make it stand
 * still again (postmigrate).
 */
export async function endFreeze(vm: QemuVm, golden: LaunchSpec): Promise<void> {
  const giveUpAtMs = performance.now() + CANCEL_TIMEOUT_MS;
  while (!OVER.has((await vm.ask('query-migrate')).status)) {
    if (performance.now() >= giveUpAtMs) {
      throw new DomainError('deadline_exceeded', `a stream of the VM's memory did not end in ${CANCEL_TIMEOUT_MS} ms`);
    }
    await vm.ask('migrate_cancel');
    await sleep(POLL_MS);
  }
  await vm.resume();
  await plugCards(vm.ask, golden);
}
