import type { AddVerb } from '../../cli.js';
import { addTokenCreate } from './create.js';
import { addTokenList } from './list.js';
import { addTokenRevoke } from './revoke.js';

export const addTokenVerbs: AddVerb = (program, cli) => {
  const token = program.command('token').description('Who may call the API');
  addTokenList(token, cli);
  addTokenCreate(token, cli);
  addTokenRevoke(token, cli);
};
