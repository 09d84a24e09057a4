import { digestOf } from './fleet/digest.js';
import type { Fleet } from './fleet/fleet.js';
import { place } from './place.js';
import type { PlacementRecord } from './placement.js';

export type Replay =
  /** The same inputs, and the same decision. */
  | { readonly kind: 'same' }
  /** The fleet given is not the one the decision was made on. */
  | { readonly kind: 'other-inputs'; readonly inputDigest: string }
  /** The same inputs and another decision: a bug, or a record of another version of the scheduler. */
  | { readonly kind: 'differs'; readonly record: PlacementRecord };

/** Decides a stored decision once more. */
export function replay(stored: PlacementRecord, fleet: Fleet): Replay {
  const { record } = place(stored.request, fleet);
  if (record.inputDigest !== stored.inputDigest) return { kind: 'other-inputs', inputDigest: record.inputDigest };
  return digestOf(record) === digestOf(stored) ? { kind: 'same' } : { kind: 'differs', record };
}
