import type { VmMovePlan } from '@kvorum/client';
import { endWithOperation } from '../../await-operation.js';
import { formatByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import type { Field } from '../../print-table.js';
import { resolveHost, resolveVm } from '../../resolve-name.js';
import { describeVm } from './describe-vm.js';

interface MoveOptions {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

export const addVmMove: AddVerb = (vm, cli) => {
  vm.command('move')
    .description('Take a stopped VM to another host, with its disks; a VM that runs is refused')
    .argument('<vm>', 'name or id')
    .option('--to <host>', 'which one; default: where placement puts it')
    .option('--dry-run', 'say where it would go, and change nothing')
    .option('--idempotency-key <key>', 'the same key and request again return the first answer')
    .option('--wait', 'until it is done')
    .addHelpText('after', examples('kvorum vm move web-1 --dry-run', 'kvorum vm move web-1 --to host-b --wait'))
    .action(async (nameOrId: string, { to, dryRun, idempotencyKey, wait }: MoveOptions) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const body = to === undefined ? {} : { hostId: await resolveHost(client, to) };
      if (dryRun === true) return cli.show(await client.vms.planMove(vmId, body), describeMovePlan);
      const accepted = await client.vms.move(vmId, body, idempotencyKey === undefined ? {} : { idempotencyKey });
      const options = wait === undefined ? {} : { wait };
      await endWithOperation(cli, client, accepted, options, async () =>
        cli.show(await client.vms.get(vmId), describeVm),
      );
    });
};

const describeMovePlan = (plan: VmMovePlan): readonly Field[] => [
  ['from', plan.fromHostName],
  ['to', plan.toHostName],
  ['disks', formatByteSize(plan.diskBytes)],
  ['steps', plan.steps.join(', ')],
  ['last step', `${plan.lastStep}; until it begins, all can be undone`],
];
