import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFloatingAddress } from '../../resolve-name.js';
import { describeFloatingAddress } from './describe-floating-address.js';

export const addFloatingAddressGet: AddVerb = (address, cli) => {
  address
    .command('get')
    .description('Show a floating address')
    .argument('<address>', 'the address itself, or its id')
    .addHelpText('after', examples('kvorum floating-address get 192.0.2.17'))
    .action(async (text: string) => {
      const client = cli.connect();
      const addressId = await resolveFloatingAddress(client, text);
      cli.show(await client.floatingAddresses.get(addressId), describeFloatingAddress);
    });
};
