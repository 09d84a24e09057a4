import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHost } from '../../resolve-name.js';
import { describeHost } from './describe-host.js';

export const addHostCordon: AddVerb = (host, cli) => {
  host
    .command('cordon')
    .description('Place no new VMs on a host; those that are there run on')
    .argument('<host>', 'name or id')
    .option('--reason <text>', 'shown to others')
    .addHelpText('after', examples('kvorum host cordon host-a --reason "new memory on Tuesday"'))
    .action(async (nameOrId: string, { reason }: { reason?: string }) => {
      const client = cli.connect();
      cli.show(await client.hosts.cordon(await resolveHost(client, nameOrId), reason ?? null), describeHost);
    });
};
