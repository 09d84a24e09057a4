import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHost } from '../../resolve-name.js';
import { describeHost } from './describe-host.js';

export const addHostUncordon: AddVerb = (host, cli) => {
  host
    .command('uncordon')
    .description('Let new VMs be placed on a host again')
    .argument('<host>', 'name or id')
    .addHelpText('after', examples('kvorum host uncordon host-a'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.hosts.uncordon(await resolveHost(client, nameOrId)), describeHost);
    });
};
