import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectText, given } from '../../option-values.js';
import { resolveHost } from '../../resolve-name.js';
import { describeHostGroup } from './describe-host-group.js';

interface CreateOptions {
  readonly description?: string;
  readonly host?: readonly string[];
  readonly allowBaselineLoss?: boolean;
}

export const addHostGroupCreate: AddVerb = (group, cli) => {
  group
    .command('create')
    .description('Make a host group')
    .argument('<name>', 'a DNS label')
    .option('--description <text>', 'for people')
    .option('--host <host>', 'a member: name or id; may be given several times', collectText)
    .option('--allow-baseline-loss', 'although the hosts have not the same CPU features')
    .addHelpText('after', examples('kvorum host-group create rack-7 --host host-a --host host-b'))
    .action(async (name: string, { description, host = [], allowBaselineLoss }: CreateOptions) => {
      const client = cli.connect();
      const hostIds = await Promise.all(host.map((nameOrId) => resolveHost(client, nameOrId)));
      const body = { name, hostIds, ...given({ description, allowBaselineLoss }) };
      cli.show(await client.hostGroups.create(body), describeHostGroup);
    });
};
