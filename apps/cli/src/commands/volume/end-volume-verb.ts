import type { AcceptedOperation, KvorumClient, MutationOptions, VolumePlan } from '@kvorum/client';
import type { Command } from 'commander';
import { endWithOperation } from '../../await-operation.js';
import type { Cli } from '../../cli.js';
import { given } from '../../option-values.js';
import { describeOperation } from '../operation/describe-operation.js';
import { describeVolume, formatVolumePlan } from './describe-volume.js';

export interface VolumeEndOptions {
  readonly dryRun?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

/** What every verb that changes volumes takes. */
export const addVolumeEndOptions = (command: Command): Command =>
  command
    .option('--dry-run', 'say what it would do, and change nothing')
    .option('--idempotency-key <key>', 'the same key and request again return the first answer')
    .option('--wait', 'until it is done');

type Query = { readonly dryRun?: 'plan' };
type Ask = (query: Query, options: MutationOptions) => Promise<AcceptedOperation | VolumePlan>;

/** Plans what was asked, or asks for it, and shows the volume when it was waited for. */
export async function endVolumeVerb(
  cli: Cli,
  client: KvorumClient,
  options: VolumeEndOptions,
  ask: Ask,
): Promise<void> {
  const { dryRun, idempotencyKey } = options;
  const answer = await ask(dryRun === true ? { dryRun: 'plan' } : {}, given({ idempotencyKey }));
  if (!('resourceId' in answer)) return cli.showText(answer, formatVolumePlan);
  await endWithOperation(cli, client, answer, options, async (operation) => {
    if (operation.resourceKind === 'volume' && operation.kind !== 'volume.purge') {
      return cli.show(await client.volumes.get(answer.resourceId), describeVolume);
    }
    cli.show(operation, describeOperation);
  });
}
