import type { Placement, PlacementDecision } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import { type Column, type Field, formatFields, formatTable } from '../../print-table.js';

export const PLACEMENT_COLUMNS: readonly Column<Placement>[] = [
  { title: 'ID', of: (placement) => placement.id },
  { title: 'VM', of: (placement) => placement.vmName },
  { title: 'OUTCOME', of: (placement) => placement.outcome },
  { title: 'HOST', of: (placement) => placement.decision.chosen?.hostName ?? null },
  { title: 'BY', of: (placement) => placement.requestedBy },
  { title: 'CREATED', of: (placement) => placement.createdAt },
];

type Head = (text: string) => string;

/** What the scheduler decided and why: as fields, then hosts counted by reason, then a verdict per host named. */
export const formatPlacement = (placement: Placement, head: Head): string => {
  const fields: readonly Field[] = [
    ['id', placement.id],
    ['VM', placement.vmName],
    ['outcome', placement.outcome],
    ['requested by', placement.requestedBy],
    ['created', placement.createdAt],
  ];
  return formatFields(fields, head) + formatDecision(placement.decision, head);
};

export function formatDecision(decision: PlacementDecision, head: Head): string {
  const { needed, chosen, rejections, verdicts, omittedVerdictCount, remedies, contradictions } = decision;
  const fields: readonly Field[] = [
    ['summary', decision.summary],
    ['needed', neededInWords(needed)],
    ['hosts', `${decision.hostCount}, of which ${decision.candidateCount} fit`],
    ...(chosen === null ? [] : [['host', chosen.hostName] as const, ['score', scoreInWords(chosen.score)] as const]),
    ...(decision.margin === null ? [] : [['margin', decision.margin] as const]),
    ...contradictions.map((text): Field => ['contradiction', text]),
    ...(decision.relaxation === null
      ? []
      : [['closest host', `${decision.relaxation.hostName}: ${decision.relaxation.changes.join(' and ')}`] as const]),
    ...remedies.map(({ change, hostCount }): Field => ['would fit with', `${change} (${hostCount} hosts)`]),
    ...(decision.isLimited ? [['hosts named', 'no: your token is for one project'] as const] : []),
  ];
  const counted = rejections.length === 0 ? '' : `\n${formatTable(rejections, REJECTION_COLUMNS, head)}`;
  const named = verdicts.length === 0 ? '' : `\n${formatTable(verdicts, VERDICT_COLUMNS, head)}`;
  const more = verdicts.length > 0 && omittedVerdictCount > 0 ? `and ${omittedVerdictCount} more hosts\n` : '';
  return formatFields(fields, head) + counted + named + more;
}

const neededInWords = ({ vcpuCount, memoryBytes, diskBytes, accelerator }: PlacementDecision['needed']): string =>
  [
    `${vcpuCount} vCPUs`,
    `${formatByteSize(memoryBytes)} memory`,
    `${formatByteSize(diskBytes)} disk`,
    ...(accelerator === null ? [] : [accelerator]),
  ].join(', ');

type Chosen = NonNullable<PlacementDecision['chosen']>;
const scoreInWords = ({ total, parts }: Chosen['score']): string =>
  `${rounded(total)} = ${Object.entries(parts)
    .map(([name, part]) => `${name} ${rounded(part)}`)
    .join(' + ')}`;

/** Scores are sums of parts between 0 and 1: three digits tell them apart for people. */
const rounded = (score: number): string => score.toFixed(3);

const REJECTION_COLUMNS: readonly Column<PlacementDecision['rejections'][number]>[] = [
  { title: 'FILTER', of: ({ filter }) => filter },
  { title: 'HOSTS REFUSED', of: ({ rejected }) => rejected },
];

const VERDICT_COLUMNS: readonly Column<PlacementDecision['verdicts'][number]>[] = [
  { title: 'HOST', of: ({ hostName }) => hostName },
  { title: 'FITS', of: ({ fits }) => fits },
  { title: 'SCORE', of: ({ score }) => (score === null ? null : rounded(score.total)) },
  { title: 'WHY NOT', of: ({ objections }) => objections.map(({ reason }) => reason).join('; ') },
];
