import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectText, given } from '../../option-values.js';
import { resolveOptional, resolvePort, resolveSecurityGroup, resolveVm } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';
import { describePort } from './describe-port.js';

interface UpdateOptions {
  /** False: --no-vm. */
  readonly vm?: string | false;
  /** False: --no-group. */
  readonly group?: readonly string[] | false;
}

export const addPortUpdate: AddVerb = (port, cli) => {
  port
    .command('update')
    .description('Change which VM a port is for, and its security groups')
    .argument('<port>', 'id, or NETWORK/PORT')
    .option('--vm <vm>', 'name or id')
    .option('--no-vm', 'for no VM any more')
    .option('--group <group>', 'all its security groups from now on; may be given several times', collectGroup)
    .option('--no-group', 'no security group any more')
    .addHelpText('after', examples('kvorum port update shop/web-1 --group web --group ssh'))
    .action(async (nameOrId: string, { vm, group }: UpdateOptions) => {
      if (vm === undefined && group === undefined) throw usageError('nothing to change', 'Give --vm or --group.');
      const client = cli.connect();
      const vmId = vm === false ? null : await resolveOptional(resolveVm, client, vm);
      const groups = group === false ? [] : group;
      const securityGroupIds = groups && (await Promise.all(groups.map((one) => resolveSecurityGroup(client, one))));
      const body = given({ vmId, securityGroupIds });
      cli.show(await client.ports.update(await resolvePort(client, nameOrId), body), describePort);
    });
};

/** With a --no- option beside it, commander begins with true. */
const collectGroup = (text: string, texts: readonly string[] | boolean): readonly string[] =>
  collectText(text, typeof texts === 'boolean' ? [] : texts);
