import type { AddVerb } from '../../cli.js';
import { readLogin } from '../../stored-login.js';
import { describeOwnToken } from './describe-own-token.js';

export const addWhoami: AddVerb = (program, cli) => {
  program
    .command('whoami')
    .description('Show the token we call with')
    .action(async () => {
      const { baseUrl } = readLogin(cli.io.environment);
      cli.show(await cli.connect().tokens.self(), describeOwnToken(baseUrl));
    });
};
