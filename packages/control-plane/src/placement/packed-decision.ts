import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import type { PlacementRecord } from '@kvorum/scheduler';
import { type DecisionEvidence, type EvidenceJson, NO_EVIDENCE } from './decision-evidence.js';

/** A decision as it is kept. */
export interface KeptDecision {
  readonly record: PlacementRecord;
  readonly evidence: DecisionEvidence | null;
}

/** Rows of hosts are much alike: the fastest level finds that as well. */
const OPTIONS = { level: constants.Z_BEST_SPEED };
/** Far above what evidence and record may have; a row that inflates to more was not written by us. */
const INFLATED_BYTES_MAX = 4 * 1024 * 1024;
const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Deflated on a thread of its own. */
export const pack = (record: PlacementRecord, evidence: EvidenceJson | null): Promise<Buffer> =>
  deflate(`{"record":${JSON.stringify(record)},"evidence":${evidence ?? NO_EVIDENCE}}`, OPTIONS) as Promise<Buffer>;

export async function unpack(packed: Uint8Array): Promise<KeptDecision> {
  const text = await inflate(packed, { maxOutputLength: INFLATED_BYTES_MAX });
  return JSON.parse(text.toString());
}
