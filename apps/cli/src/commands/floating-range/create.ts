import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeFloatingRange } from './describe-floating-range.js';

export const addFloatingRangeCreate: AddVerb = (range, cli) => {
  range
    .command('create')
    .description('Give addresses to projects that want to be reached from outside')
    .argument('<name>', 'a DNS label')
    .requiredOption('--addresses <addresses>', 'such as 192.0.2.16-192.0.2.31, 192.0.2.64/27 or 192.0.2.7')
    .addHelpText('after', examples('kvorum floating-range create internet --addresses 192.0.2.16-192.0.2.31'))
    .action(async (name: string, { addresses }: { readonly addresses: string }) => {
      cli.show(await cli.connect().floatingRanges.create({ name, addresses }), describeFloatingRange);
    });
};
