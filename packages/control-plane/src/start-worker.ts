import type { ControlPlane } from './control-plane.js';
import type { OperationObserver } from './operations/operation-runner.js';
import { startOperationWorker, type Worker } from './operations/start-worker.js';
import { operationDefinitions } from './vm/operation-definitions.js';

/** Works on operations of every kind as the bell rings. `observer` is for tests that die at exact points. */
export const startWorker = (
  cp: ControlPlane,
  options: { readonly concurrency: number; readonly leaseMs?: number; readonly observer?: OperationObserver },
): Promise<Worker> => startOperationWorker(cp, { ...options, definitions: operationDefinitions, services: cp });
