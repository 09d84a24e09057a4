import type { AddVerb } from '../../cli.js';
import { forgetLogin } from '../../stored-login.js';

export const addLogout: AddVerb = (program, cli) => {
  program
    .command('logout')
    .description('Forget the stored login; the token itself stays valid until it is revoked or expires')
    .action(() => {
      forgetLogin(cli.io.environment);
      cli.note('logged out');
    });
};
