import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveFloatingRange, resolveOptional, resolvePort, resolveProject } from '../../resolve-name.js';
import { describeFloatingAddress } from './describe-floating-address.js';

interface CreateOptions {
  readonly project?: string;
  readonly range?: string;
  readonly address?: string;
  readonly port?: string;
}

export const addFloatingAddressCreate: AddVerb = (address, cli) => {
  address
    .command('create')
    .description('Take a floating address for a project')
    .option('--project <project>', "name or id; default: the token's")
    .option('--range <range>', 'name or id; default: the first that has a free one')
    .option('--address <address>', 'default: one that is free')
    .option('--port <port>', 'the port that is to be reached by it: id, or NETWORK/PORT')
    .addHelpText('after', examples('kvorum floating-address create --port shop/web-1'))
    .action(async (options: CreateOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const rangeId = await resolveOptional(resolveFloatingRange, client, options.range);
      const portId = await resolveOptional(resolvePort, client, options.port);
      const body = given({ projectId, rangeId, address: options.address, portId });
      cli.show(await client.floatingAddresses.create(body), describeFloatingAddress);
    });
};
