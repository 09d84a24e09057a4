import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { given } from '../../../option-values.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { addNetworkCardOptions, type NetworkCardOptions, networkCardsOf } from '../network-card-options.js';
import { changeOfList, wantedDevices } from '../wanted-devices.js';

interface AddOptions extends UpdateEndOptions, NetworkCardOptions {
  readonly mac?: string;
}

export const addVmNicAdd: AddVerb = (nic, cli) => {
  addNetworkCardOptions(addUpdateEndOptions(nic.command('add')))
    .description('Add a network card: at once if the VM runs, or at its next start if it is on a network')
    .argument('<vm>', 'name or id')
    .option('--mac <address>', "such as 02:1a:2b:3c:4d:5e; default: one of the site's own")
    .addHelpText(
      'after',
      examples('kvorum vm nic add web-1 --wait', 'kvorum vm nic add web-1 --network shop --security-group web'),
    )
    .action(async (nameOrId: string, options: AddOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      const cards = await networkCardsOf(client, options);
      const isolated = cards.length === 0 ? [{}] : cards;
      const added = isolated.map((card) => ({ ...card, ...given({ macAddress: options.mac }) }));
      await endWithUpdate(cli, client, changeOfList(vm, 'nics', [...wantedDevices(vm, 'nics'), ...added]), options);
    });
};
