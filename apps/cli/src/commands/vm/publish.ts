import type { VmPublishPlan } from '@kvorum/client';
import { endWithOperation } from '../../await-operation.js';
import { formatByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import type { Field } from '../../print-table.js';
import { resolveVm } from '../../resolve-name.js';
import { describeImage } from '../image/describe-image.js';

interface PublishOptions {
  readonly description?: string;
  readonly dryRun?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

export const addVmPublish: AddVerb = (vm, cli) => {
  vm.command('publish')
    .description('Make an image of the root disk of a VM: stopped, or with that disk on a storage pool')
    .argument('<vm>', 'name or id')
    .argument('<name>', 'of the image')
    .option('--description <text>', 'of the image')
    .option('--dry-run', 'say what would be published and what stays in it, and change nothing')
    .option('--idempotency-key <key>', 'the same key and request again return the first answer')
    .option('--wait', 'until the image is there')
    .addHelpText(
      'after',
      examples('kvorum vm publish web-1 golden-1 --dry-run', 'kvorum vm publish web-1 golden-1 --wait'),
    )
    .action(async (nameOrId: string, name: string, options: PublishOptions) => {
      const { description, dryRun, idempotencyKey, wait } = options;
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const body = description === undefined ? { name } : { name, description };
      if (dryRun === true) return cli.show(await client.vms.planPublish(vmId, body), describePublishPlan);
      const accepted = await client.vms.publish(vmId, body, idempotencyKey === undefined ? {} : { idempotencyKey });
      await endWithOperation(cli, client, accepted, wait === undefined ? {} : { wait }, async () =>
        cli.show(await client.images.get(accepted.resourceId), describeImage),
      );
    });
};

const describePublishPlan = (plan: VmPublishPlan): readonly Field[] => [
  ['vm', plan.vmName],
  ['image', plan.imageName],
  ['disk', formatByteSize(plan.diskBytes)],
  ['steps', plan.steps.join(', ')],
  ...plan.warnings.map((warning): Field => ['warning', warning]),
];
