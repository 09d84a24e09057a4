import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';

export const addVmAddresses: AddVerb = (vm, cli) => {
  vm.command('addresses')
    .description('Show the network addresses of a VM, as its guest agent says')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm addresses web-1', 'kvorum vm addresses web-1 -o json'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      const { guest } = await client.vms.get(await resolveVm(client, nameOrId));
      if (guest.interfaces === null) cli.note('its guest agent has not told any (yet)');
      const items = guest.interfaces ?? [];
      cli.showPage({ items }, [
        { title: 'INTERFACE', of: (face) => face.name },
        { title: 'MAC', of: (face) => face.macAddress },
        {
          title: 'ADDRESSES',
          of: (face) => face.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(' '),
        },
      ]);
    });
};
