import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveToken } from '../../resolve-name.js';
import { describeToken } from './describe-token.js';

export const addTokenRevoke: AddVerb = (token, cli) => {
  token
    .command('revoke')
    .description('Refuse an API token from now on')
    .argument('<token>', 'name or id')
    .addHelpText('after', examples('kvorum token revoke ci'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.tokens.revoke(await resolveToken(client, nameOrId)), describeToken);
    });
};
