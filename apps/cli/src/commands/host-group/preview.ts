import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveHost, resolveHostGroup } from '../../resolve-name.js';
import { describePreview } from './describe-host-group.js';

export const addHostGroupPreview: AddVerb = (group, cli) => {
  group
    .command('preview')
    .description('What hosts would take from the group if they joined, and which VMs that touches')
    .argument('<group>', 'name or id')
    .argument('<host...>', 'names or ids')
    .addHelpText('after', examples('kvorum host-group preview rack-7 host-c'))
    .action(async (nameOrId: string, hosts: string[]) => {
      const client = cli.connect();
      const hostIds = await Promise.all(hosts.map((host) => resolveHost(client, host)));
      const groupId = await resolveHostGroup(client, nameOrId);
      cli.show(await client.hostGroups.previewCpuBaseline(groupId, { hostIds }), describePreview);
    });
};
