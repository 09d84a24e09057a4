import {
  type CreateFloatingRangeRequest,
  DomainError,
  type FloatingRange,
  type FloatingRangeId,
  type FloatingSpan,
  newId,
  parseFloatingSpan,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { requireWholeSite } from '../token/project-scope.js';
import { findFloatingRange, findRangeInTheWay, insertFloatingRange } from './floating-range.store.js';
import { getFloatingRange, presentRange, recordRangeChange } from './floating-ranges.js';

const CREATED_STATUS = 201;

/** Throws already_exists for its name, conflict_state for addresses of another range, forbidden. */
export async function createFloatingRange(
  cp: ControlPlane,
  actor: Actor,
  { name, addresses }: CreateFloatingRangeRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<FloatingRange> {
  requireWholeSite(actor);
  const span = parseFloatingSpan(addresses);
  if (span === null) throw new TypeError(`${addresses} was checked before`);
  const id = newId<FloatingRangeId>();
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return getFloatingRange(cp, before.resourceId as FloatingRangeId);
    if (!(await insertFloatingRange(tx, { id, name, span, now: cp.clock() }))) throw await refused(tx, name, span);
    const range = presentRange(await findFloatingRange(tx, id));
    await recordRangeChange(tx, actor, range, 'created');
    return range;
  });
}

async function refused(tx: Tx, name: string, span: FloatingSpan): Promise<DomainError> {
  const other = await findRangeInTheWay(tx, { name, span });
  if (other === null) return new DomainError('conflict_state', 'another range came in between; try again');
  if (other.name === name) {
    return new DomainError('already_exists', `there is a range called ${name} already`, {
      details: { fields: [{ field: 'body.name', message: 'is taken' }] },
    });
  }
  const message = `has addresses of ${other.name} (${other.firstAddress} to ${other.lastAddress}); leave those out`;
  return new DomainError('conflict_state', `the range ${message}`, {
    details: { fields: [{ field: 'body.addresses', message }] },
  });
}
