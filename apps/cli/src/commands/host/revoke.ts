import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHost } from '../../resolve-name.js';
import { describeHost } from './describe-host.js';

export const addHostRevoke: AddVerb = (host, cli) => {
  host
    .command('revoke')
    .description('Refuse the certificate of a host from now on; the way back is to enrol it anew')
    .argument('<host>', 'name or id')
    .addHelpText('after', examples('kvorum host revoke host-a'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.hosts.revoke(await resolveHost(client, nameOrId)), describeHost);
    });
};
