import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { TOKEN_COLUMNS } from './describe-token.js';

export const addTokenList: AddVerb = (token, cli) => {
  addPageOptions(token.command('list'))
    .description('List API tokens; their secrets are kept nowhere')
    .action(async (options: PageOptions) => {
      const client = cli.connect();
      cli.showPage(await readPages(options, (page) => client.tokens.list(page)), TOKEN_COLUMNS);
    });
};
