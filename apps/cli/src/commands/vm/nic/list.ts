import type { Vm } from '@kvorum/client';
import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import type { Column } from '../../../print-table.js';
import { resolveVm } from '../../../resolve-name.js';
import { valueText } from '../../../value-text.js';

const COLUMNS: readonly Column<Vm['hardware']['devices']['nics'][number]>[] = [
  { title: 'MAC ADDRESS', of: ({ macAddress }) => macAddress },
  { title: 'CONNECTED TO', of: ({ backend }) => valueText('backend', backend) },
  { title: 'SLOT', of: ({ slot }) => slot },
  { title: 'ID', of: ({ id }) => id },
];

export const addVmNicList: AddVerb = (nic, cli) => {
  nic
    .command('list')
    .description('List the network cards of a VM')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm nic list web-1'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      const { hardware } = await client.vms.get(await resolveVm(client, nameOrId));
      cli.showPage({ items: hardware.devices.nics }, COLUMNS);
    });
};
