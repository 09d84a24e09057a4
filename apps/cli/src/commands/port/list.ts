import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveNetwork, resolveOptional, resolveVm } from '../../resolve-name.js';
import { PORT_COLUMNS } from './describe-port.js';

interface ListOptions extends PageOptions {
  readonly vm?: string;
  readonly address?: string;
}

export const addPortList: AddVerb = (port, cli) => {
  addPageOptions(port.command('list'))
    .description('List the ports of a network')
    .argument('<network>', 'name or id')
    .option('--vm <vm>', 'name or id')
    .option('--address <address>', 'the one with this address')
    .addHelpText('after', examples('kvorum port list shop'))
    .action(async (nameOrId: string, options: ListOptions) => {
      const client = cli.connect();
      const vmId = await resolveOptional(resolveVm, client, options.vm);
      const filter = given({ vmId, address: options.address });
      const networkId = await resolveNetwork(client, nameOrId);
      cli.showPage(
        await readPages(options, (page) => client.ports.list(networkId, { ...filter, ...page })),
        PORT_COLUMNS,
      );
    });
};
