import type { KvorumClient, UpdateVmBody, VmFieldChange, VmUpdatePlan } from '@kvorum/client';
import type { Command } from 'commander';
import { endWithOperation } from '../../await-operation.js';
import type { Cli } from '../../cli.js';
import { type Column, formatTable } from '../../print-table.js';
import { valueText } from '../../value-text.js';
import { describeVm } from './describe-vm.js';

export interface UpdateEndOptions {
  readonly dryRun?: boolean;
  readonly onlyLive?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

/** What every verb that changes a VM takes. */
export const addUpdateEndOptions = (command: Command): Command =>
  command
    .option('--dry-run', 'say what it would do, field by field, and change nothing')
    .option('--only-live', 'refuse what would have to wait for the next start')
    .option('--idempotency-key <key>', 'the same key and request again return the first answer')
    .option('--wait', 'until it is done');

/** Plans the change or asks for it. `ifMatch`: the generation of the VM that it was made from. */
export async function endWithUpdate(
  cli: Cli,
  client: KvorumClient,
  asked: { readonly vmId: string; readonly body: UpdateVmBody; readonly ifMatch?: number },
  options: UpdateEndOptions,
): Promise<void> {
  const { vmId, ifMatch } = asked;
  const body = { ...asked.body, ...(options.onlyLive === true ? { onlyLive: true } : {}) };
  const matched = ifMatch === undefined ? {} : { ifMatch };
  if (options.dryRun === true) return cli.showText(await client.vms.planUpdate(vmId, body, matched), formatPlan);
  const { idempotencyKey } = options;
  const keyed = idempotencyKey === undefined ? {} : { idempotencyKey };
  const accepted = await client.vms.update(vmId, body, { ...matched, ...keyed });
  await endWithOperation(cli, client, accepted, options, async () => cli.show(await client.vms.get(vmId), describeVm));
}

const CHANGE_COLUMNS: readonly Column<VmFieldChange>[] = [
  { title: 'FIELD', of: ({ field }) => field },
  { title: 'FROM', of: ({ field, from }) => valueText(field, from) },
  { title: 'TO', of: ({ field, to }) => valueText(field, to) },
  { title: 'EFFECT', of: ({ effect }) => effect },
  { title: 'WHY', of: ({ reason }) => reason },
];

function formatPlan({ changes, pendingChanges }: VmUpdatePlan, head: (text: string) => string): string {
  if (changes.length === 0) return 'nothing would change\n';
  const waiting = pendingChanges.map(({ field }) => field).join(', ');
  const after = waiting === '' ? '' : `\nwould wait for the next start: ${waiting}\n`;
  return `${formatTable(changes, CHANGE_COLUMNS, head)}${after}`;
}
