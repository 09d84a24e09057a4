import type { AcceptedOperation } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import type { Database } from '../database/database.js';
import { findOperation } from '../operations/operation.store.js';
import { toOperation } from '../operations/operation-row.js';

/** HTTP status of every mutation that an operation carries out; kept with idempotency keys. */
export const ACCEPTED_STATUS = 202;

/** The answer of a mutation that takes longer than a row. */
export async function acceptedOperation(
  database: Database,
  operationId: string | null,
  resourceId: string,
): Promise<AcceptedOperation> {
  const row = operationId === null ? null : await findOperation(database, operationId);
  if (row === null) throw new TypeError(`operation ${operationId} of ${resourceId} has a row`);
  return { operation: toOperation(row), resourceId };
}

/** After the commit. A ring that is lost is made up for by the reconciler. */
export const ringBell = (cp: Pick<ControlPlane, 'bell'>, operationId: string): Promise<void> =>
  cp.bell.ring(operationId);
