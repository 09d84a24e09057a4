import type { AddVerb } from '../../cli.js';
import { addPlacementGet } from './get.js';
import { addPlacementList } from './list.js';
import { addPlacementQueue } from './queue.js';
import { addPlacementReplay } from './replay.js';
import { addPlacementSimulate } from './simulate.js';
import { addPlacementSimulateFailure } from './simulate-failure.js';

export const addPlacementVerbs: AddVerb = (program, cli) => {
  const placement = program
    .command('placement')
    .description('Why VMs are where they are, and why requests were refused');
  addPlacementList(placement, cli);
  addPlacementGet(placement, cli);
  addPlacementReplay(placement, cli);
  addPlacementQueue(placement, cli);
  addPlacementSimulate(placement, cli);
  addPlacementSimulateFailure(placement, cli);
};
