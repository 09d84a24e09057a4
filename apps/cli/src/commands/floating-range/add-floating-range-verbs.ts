import type { AddVerb } from '../../cli.js';
import { addFloatingRangeCreate } from './create.js';
import { addFloatingRangeDelete } from './delete.js';
import { addFloatingRangeGet } from './get.js';
import { addFloatingRangeList } from './list.js';

export const addFloatingRangeVerbs: AddVerb = (program, cli) => {
  const range = program.command('floating-range').description('Ranges that floating addresses are of');
  addFloatingRangeList(range, cli);
  addFloatingRangeGet(range, cli);
  addFloatingRangeCreate(range, cli);
  addFloatingRangeDelete(range, cli);
};
