import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFloatingAddress, resolvePort } from '../../resolve-name.js';
import { describeFloatingAddress } from './describe-floating-address.js';

export const addFloatingAddressAssociate: AddVerb = (address, cli) => {
  address
    .command('associate')
    .description('Lead a floating address to a port, away from the one that it led to')
    .argument('<address>', 'the address itself, or its id')
    .argument('<port>', 'id, or NETWORK/PORT')
    .addHelpText('after', examples('kvorum floating-address associate 192.0.2.17 shop/web-2'))
    .action(async (text: string, port: string) => {
      const client = cli.connect();
      const portId = await resolvePort(client, port);
      const addressId = await resolveFloatingAddress(client, text);
      cli.show(await client.floatingAddresses.update(addressId, { portId }), describeFloatingAddress);
    });
};
