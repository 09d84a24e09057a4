import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolvePort } from '../../resolve-name.js';
import { describePort } from './describe-port.js';

export const addPortGet: AddVerb = (port, cli) => {
  port
    .command('get')
    .description('Show a port')
    .argument('<port>', 'id, or NETWORK/PORT')
    .addHelpText('after', examples('kvorum port get shop/web-1'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.ports.get(await resolvePort(client, nameOrId)), describePort);
    });
};
