import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlPlane } from '../control-plane.js';
import { logSparingly } from '../operations/log-sparingly.js';
import { startUnattendedOperationsReconciler } from '../operations/unattended-operations.reconciler.js';
import { placeWaitingVms } from '../vm/place-waiting-vms.js';
import { reconcileHostNetworks } from './host-networks.reconciler.js';
import { reconcileLeakedReservations } from './leaked-reservations.reconciler.js';
import { reconcileLeftovers } from './leftovers.reconciler.js';
import { reconcileLostHosts } from './lost-hosts.reconciler.js';
import { reconcileOldConsoleTokens } from './old-console-tokens.reconciler.js';
import { reconcileOldKeys } from './old-idempotency-keys.reconciler.js';
import { reconcileOldPlacements } from './old-placements.reconciler.js';
import { reconcileImageFiles } from './orphaned-image-files.reconciler.js';
import { reconcileStoragePools } from './storage-pools.reconciler.js';
import { reconcileUnownedTemplates } from './unowned-templates.reconciler.js';
import { reconcileUnownedVms } from './unowned-vms.reconciler.js';
import { reconcileUnownedVolumes } from './unowned-volumes.reconciler.js';
import { reconcileTrash } from './volume-trash.reconciler.js';

interface Loop {
  readonly name: string;
  readonly periodMs: number;
  run(cp: ControlPlane): Promise<unknown>;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Several processes may run them at once: each pass decides by conditional statements on rows. */
const LOOPS: readonly Loop[] = [
  { name: 'lost hosts', periodMs: SECOND_MS, run: reconcileLostHosts },
  { name: 'waiting VMs', periodMs: SECOND_MS, run: placeWaitingVms },
  // A security group is in force within a second, with what a host needs.
  { name: 'hosts to tell of networks', periodMs: 250, run: reconcileHostNetworks },
  { name: 'unowned VMs', periodMs: 30 * SECOND_MS, run: reconcileUnownedVms },
  { name: 'unowned templates', periodMs: 30 * SECOND_MS, run: reconcileUnownedTemplates },
  { name: 'unowned volumes', periodMs: 30 * SECOND_MS, run: reconcileUnownedVolumes },
  { name: 'trash of storage pools', periodMs: MINUTE_MS, run: reconcileTrash },
  { name: 'storage pools to look at', periodMs: MINUTE_MS, run: (cp) => reconcileStoragePools(cp) },
  { name: 'leftovers on hosts', periodMs: MINUTE_MS, run: (cp) => reconcileLeftovers(cp) },
  { name: 'leaked reservations', periodMs: MINUTE_MS, run: reconcileLeakedReservations },
  { name: 'old idempotency keys', periodMs: 10 * MINUTE_MS, run: reconcileOldKeys },
  { name: 'old placements', periodMs: MINUTE_MS, run: reconcileOldPlacements },
  { name: 'old console tokens', periodMs: 10 * MINUTE_MS, run: reconcileOldConsoleTokens },
  { name: 'orphaned image files', periodMs: 10 * MINUTE_MS, run: reconcileImageFiles },
];

/** Of the period, at random: several processes do not look at the same moment. */
const JITTER = 0.2;

/** Runs every reconciler again and again until closed. One that fails is run again at its next turn. */
export function startReconcilers(cp: ControlPlane): { close(): Promise<void> } {
  const closing = new AbortController();
  const unattended = startUnattendedOperationsReconciler(cp);
  const running = LOOPS.map((loop) => repeat(cp, loop, closing.signal));
  return {
    close: async () => {
      closing.abort();
      await Promise.all([unattended.close(), ...running]);
    },
  };
}

async function repeat(cp: ControlPlane, loop: Loop, closing: AbortSignal): Promise<void> {
  const logTrouble = logSparingly(cp.log, `looking for ${loop.name} failed; trying again`);
  while (!closing.aborted) {
    await loop.run(cp).catch(logTrouble);
    const pauseMs = loop.periodMs * (1 + Math.random() * JITTER);
    await sleep(pauseMs, undefined, { signal: closing }).catch(() => undefined);
  }
}
