import type { PlacementReplay } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import type { Field } from '../../print-table.js';

export const addPlacementReplay: AddVerb = (placement, cli) => {
  placement
    .command('replay')
    .description('Decide again what was decided, from what was kept with it, and compare')
    .argument('<placement>', 'id')
    .addHelpText('after', examples('kvorum placement replay 019a0000-0000-7000-8000-000000000001'))
    .action(async (placementId: string) => {
      cli.show(await cli.connect().placements.replay(placementId), describeReplay);
    });
};

const describeReplay = (replay: PlacementReplay): readonly Field[] => [
  ['same result', replay.isSame],
  ['differences', replay.differences.join('; ')],
  ['hosts decided on again', replay.replayedHostCount],
  ['of the whole fleet', replay.isComplete],
  ['now', replay.decision.summary],
];
