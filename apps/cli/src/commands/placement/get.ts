import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { formatPlacement } from './describe-placement.js';

export const addPlacementGet: AddVerb = (placement, cli) => {
  placement
    .command('get')
    .description('Explain a decision: hosts counted by reason, verdicts, and what would make it fit')
    .argument('<placement>', 'id; a refusal names it')
    .addHelpText('after', examples('kvorum placement get 019a0000-0000-7000-8000-000000000001'))
    .action(async (placementId: string) => {
      cli.showText(await cli.connect().placements.get(placementId), formatPlacement);
    });
};
