import type { AddVerb } from '../../cli.js';
import { addEventWatch } from './watch.js';

export const addEventVerbs: AddVerb = (program, cli) => {
  const event = program.command('event').description('What changes, as it changes');
  addEventWatch(event, cli);
};
