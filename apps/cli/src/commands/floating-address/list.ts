import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolvePort, resolveProject } from '../../resolve-name.js';
import { FLOATING_ADDRESS_COLUMNS } from './describe-floating-address.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly port?: string;
}

export const addFloatingAddressList: AddVerb = (address, cli) => {
  addPageOptions(address.command('list'))
    .description('List floating addresses')
    .option('--project <project>', 'name or id')
    .option('--port <port>', 'the one that leads to this port: id, or NETWORK/PORT')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const portId = await resolveOptional(resolvePort, client, options.port);
      const filter = given({ projectId, portId });
      const page = await readPages(options, (bounds) => client.floatingAddresses.list({ ...filter, ...bounds }));
      cli.showPage(page, FLOATING_ADDRESS_COLUMNS);
    });
};
