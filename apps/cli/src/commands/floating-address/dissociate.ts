import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFloatingAddress } from '../../resolve-name.js';
import { describeFloatingAddress } from './describe-floating-address.js';

export const addFloatingAddressDissociate: AddVerb = (address, cli) => {
  address
    .command('dissociate')
    .description('Lead a floating address nowhere; it stays with its project')
    .argument('<address>', 'the address itself, or its id')
    .addHelpText('after', examples('kvorum floating-address dissociate 192.0.2.17'))
    .action(async (text: string) => {
      const client = cli.connect();
      const addressId = await resolveFloatingAddress(client, text);
      cli.show(await client.floatingAddresses.update(addressId, { portId: null }), describeFloatingAddress);
    });
};
