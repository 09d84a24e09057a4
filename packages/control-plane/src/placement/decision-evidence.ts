import { DIMENSIONS, type Fleet, type HostRow, type PlacementRecord, type PlacementRequest } from '@kvorum/scheduler';

/**
 * What a decision can be made from once more: the request, and the hosts that its record names as they were then. The other
 * hosts of the fleet are not kept: at 10,000 hosts they would be megabytes with every VM, and only their number is in the
 * record. A host that was chosen over them is chosen over the best of them as well, and those are named.
 */
export interface DecisionEvidence {
  readonly request: PlacementRequest;
  readonly hosts: readonly HostRow[];
}

/** Records name at most 20 hosts; some hundred bytes each. */
const EVIDENCE_BYTES_MAX = 64 * 1024;

/** To be called before the decision's own claim is counted. Null: it would be too large to be kept. */
export function evidenceOf(request: PlacementRequest, record: PlacementRecord, fleet: Fleet): DecisionEvidence | null {
  const hosts = record.verdicts.flatMap(({ hostId }) => {
    const index = fleet.indexOf(hostId);
    return index < 0 ? [] : [keptOf(request, { ...fleet.rowOf(index), reserved: reservedAt(fleet, index) })];
  });
  const evidence = { request, hosts };
  return JSON.stringify(evidence).length <= EVIDENCE_BYTES_MAX ? evidence : null;
}

/** A host has hundreds of traits; no rule looks at others than the request asks for. In JSON, which knows no sets. */
const keptOf = ({ requiredTraits = [] }: PlacementRequest, row: HostRow): HostRow => {
  const traits = new Set(row.traits);
  return { ...row, traits: requiredTraits.filter((trait) => traits.has(trait)) };
};

/** With the claims that the process had open: the row alone does not have them. */
const reservedAt = ({ capacity, free }: Fleet, index: number): HostRow['reserved'] =>
  Object.fromEntries(
    DIMENSIONS.map((dimension) => [dimension, (capacity[dimension][index] ?? 0) - (free[dimension][index] ?? 0)]),
  ) as HostRow['reserved'];
