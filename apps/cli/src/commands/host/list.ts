import type { HostsQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { HOST_COLUMNS } from './describe-host.js';

interface ListOptions extends PageOptions {
  readonly state?: NonNullable<HostsQuery['state']>;
  readonly connectivity?: NonNullable<HostsQuery['connectivity']>;
}

export const addHostList: AddVerb = (host, cli) => {
  addPageOptions(host.command('list'))
    .description('List hosts with what is reserved on them')
    .option('--state <state>', 'active, cordoned or revoked')
    .option('--connectivity <connectivity>', 'connected or unreachable')
    .addHelpText('after', examples('kvorum host list --connectivity unreachable'))
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({ state: options.state, connectivity: options.connectivity });
      cli.showPage(await readPages(options, (page) => client.hosts.list({ ...filter, ...page })), HOST_COLUMNS);
    });
};
