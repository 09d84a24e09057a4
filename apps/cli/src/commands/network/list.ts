import type { NetworksQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { NETWORK_COLUMNS } from './describe-network.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly kind?: NonNullable<NetworksQuery['kind']>;
}

export const addNetworkList: AddVerb = (network, cli) => {
  addPageOptions(network.command('list'))
    .description('List networks')
    .option('--project <project>', 'name or id')
    .option('--kind <kind>', 'nat, bridge or vxlan')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const filter = given({ projectId, kind: options.kind });
      cli.showPage(await readPages(options, (page) => client.networks.list({ ...filter, ...page })), NETWORK_COLUMNS);
    });
};
