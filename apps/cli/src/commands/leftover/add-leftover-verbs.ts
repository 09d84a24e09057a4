import type { AddVerb } from '../../cli.js';
import { addLeftoverDelete } from './delete.js';
import { addLeftoverList } from './list.js';

export const addLeftoverVerbs: AddVerb = (program, cli) => {
  const leftover = program.command('leftover').description('What is on hosts and belongs to nobody');
  addLeftoverList(leftover, cli);
  addLeftoverDelete(leftover, cli);
};
