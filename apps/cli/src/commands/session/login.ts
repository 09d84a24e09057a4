import { createKvorumClient } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { readSecret } from '../../read-secret.js';
import { readTokenFile, storeLogin } from '../../stored-login.js';
import { usageError } from '../../usage-error.js';
import { describeOwnToken } from './describe-own-token.js';

export const addLogin: AddVerb = (program, cli) => {
  program
    .command('login')
    .description('Store where the control plane is and a token for it, once the token has been accepted there')
    .argument('[url]', 'such as http://127.0.0.1:7080; default: KVORUM_URL')
    .option('--token-file <path>', 'read the token from a file; default: ask for it, or take it from standard input')
    .addHelpText(
      'after',
      examples(
        'kvorum login http://127.0.0.1:7080 --token-file admin.token',
        'kvorum login https://site.example < admin.token',
      ),
    )
    .action(async (url: string | undefined, { tokenFile }: { tokenFile?: string }) => {
      const { environment } = cli.io;
      const baseUrl = url ?? environment.url;
      if (baseUrl === undefined) throw usageError('no address was given', 'kvorum login http://host:7080');
      const path = tokenFile ?? environment.tokenFile;
      const token = path === undefined ? await readSecret(cli.io, `API token for ${baseUrl}: `) : readTokenFile(path);
      const own = await createKvorumClient({ baseUrl, token }).tokens.self();
      storeLogin(environment, { baseUrl, token });
      cli.show(own, describeOwnToken(baseUrl));
    });
};
