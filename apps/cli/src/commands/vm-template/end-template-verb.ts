import type { AcceptedOperation, KvorumClient, MutationOptions, VmTemplatePlan } from '@kvorum/client';
import type { Command } from 'commander';
import { endWithOperation } from '../../await-operation.js';
import type { Cli } from '../../cli.js';
import { given } from '../../option-values.js';
import { describeOperation } from '../operation/describe-operation.js';
import { describeTemplate, formatTemplatePlan } from './describe-vm-template.js';

export interface TemplateEndOptions {
  readonly dryRun?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

/** What every verb that makes or deletes a template takes. */
export const addTemplateEndOptions = (command: Command): Command =>
  command
    .option('--dry-run', 'say what it would do, and change nothing')
    .option('--idempotency-key <key>', 'the same key and request again return the first answer')
    .option('--wait', 'until it is done');

type Query = { readonly dryRun?: 'plan' };
type Ask = (query: Query, options: MutationOptions) => Promise<AcceptedOperation | VmTemplatePlan>;

/** Plans what was asked, or asks for it, and shows the template that was waited for. */
export async function endTemplateVerb(
  cli: Cli,
  client: KvorumClient,
  options: TemplateEndOptions,
  ask: Ask,
): Promise<void> {
  const { dryRun, idempotencyKey } = options;
  const answer = await ask(dryRun === true ? { dryRun: 'plan' } : {}, given({ idempotencyKey }));
  if (!('resourceId' in answer)) return cli.showText(answer, formatTemplatePlan);
  await endWithOperation(cli, client, answer, options, async (operation) => {
    if (operation.kind === 'vm-template.delete') return cli.show(operation, describeOperation);
    cli.show(await client.vmTemplates.get(answer.resourceId), describeTemplate);
  });
}
