import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFloatingAddress } from '../../resolve-name.js';

export const addFloatingAddressRelease: AddVerb = (address, cli) => {
  address
    .command('release')
    .description('Give a floating address back; its port is reached by it no more')
    .argument('<address>', 'the address itself, or its id')
    .addHelpText('after', examples('kvorum floating-address release 192.0.2.17'))
    .action(async (text: string) => {
      const client = cli.connect();
      await client.floatingAddresses.delete(await resolveFloatingAddress(client, text));
      cli.note(`released floating address ${text}`);
    });
};
