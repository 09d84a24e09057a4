import type { AddVerb } from '../../cli.js';
import { addPlacementGet } from './get.js';
import { addPlacementList } from './list.js';
import { addPlacementReplay } from './replay.js';

export const addPlacementVerbs: AddVerb = (program, cli) => {
  const placement = program
    .command('placement')
    .description('Why VMs are where they are, and why requests were refused');
  addPlacementList(placement, cli);
  addPlacementGet(placement, cli);
  addPlacementReplay(placement, cli);
};
