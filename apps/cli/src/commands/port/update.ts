import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectText, given } from '../../option-values.js';
import { resolveOptional, resolvePort, resolveSecurityGroup, resolveVm } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';
import { addBandwidthOptions } from './bandwidth-options.js';
import { describePort } from './describe-port.js';

interface UpdateOptions {
  /** False: --no-vm. */
  readonly vm?: string | false;
  /** False: --no-group. */
  readonly group?: readonly string[] | false;
  /** False: --no-ingress, --no-egress. */
  readonly ingress?: number | false;
  readonly egress?: number | false;
}

export const addPortUpdate: AddVerb = (port, cli) => {
  addBandwidthOptions(port.command('update'))
    .description('Change which VM a port is for, its security groups and limits')
    .argument('<port>', 'id, or NETWORK/PORT')
    .option('--vm <vm>', 'name or id')
    .option('--no-vm', 'for no VM any more')
    .option('--group <group>', 'all its security groups from now on; may be given several times', collectGroup)
    .option('--no-group', 'no security group any more')
    .option('--no-ingress', 'however fast it is sent to')
    .option('--no-egress', 'however fast it sends')
    .addHelpText('after', examples('kvorum port update shop/web-1 --group web --group ssh'))
    .action(async (nameOrId: string, { vm, group, ingress, egress }: UpdateOptions) => {
      if ([vm, group, ingress, egress].every((value) => value === undefined)) {
        throw usageError('nothing to change', 'Give --vm, --group, --ingress or --egress.');
      }
      const client = cli.connect();
      const vmId = vm === false ? null : await resolveOptional(resolveVm, client, vm);
      const groups = group === false ? [] : group;
      const securityGroupIds = groups && (await Promise.all(groups.map((one) => resolveSecurityGroup(client, one))));
      const body = given({
        vmId,
        securityGroupIds,
        ingressBitsPerSecond: ingress === false ? null : ingress,
        egressBitsPerSecond: egress === false ? null : egress,
      });
      cli.show(await client.ports.update(await resolvePort(client, nameOrId), body), describePort);
    });
};

/** With a --no- option beside it, commander begins with true. */
const collectGroup = (text: string, texts: readonly string[] | boolean): readonly string[] =>
  collectText(text, typeof texts === 'boolean' ? [] : texts);
