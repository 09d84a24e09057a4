import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHost } from '../../resolve-name.js';
import { describeHost } from './describe-host.js';

export const addHostGet: AddVerb = (host, cli) => {
  host
    .command('get')
    .description('Show a host with what was found out about its hardware')
    .argument('<host>', 'name or id')
    .addHelpText('after', examples('kvorum host get host-a'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.hosts.get(await resolveHost(client, nameOrId)), describeHost);
    });
};
