import type { SimulatedFailure } from '@kvorum/client';
import { Argument } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { formatFields, formatTable } from '../../print-table.js';
import { resolveHost } from '../../resolve-name.js';

export const addPlacementSimulateFailure: AddVerb = (placement, cli) => {
  placement
    .command('simulate-failure')
    .description('Say which running VMs would find room elsewhere if a host, rack or zone were gone')
    .addArgument(new Argument('<level>', 'what fails').choices(['host', 'rack', 'zone']))
    .argument('<name>', 'of the rack or zone; name or id of the host')
    .addHelpText('after', examples('kvorum placement simulate-failure rack a-07'))
    .action(async (level: 'host' | 'rack' | 'zone', nameOrId: string) => {
      const client = cli.connect();
      const name = level === 'host' ? await resolveHost(client, nameOrId) : nameOrId;
      cli.showText(await client.placements.simulateFailure({ level, name }), formatFailure);
    });
};

function formatFailure({ lostHosts, restarts, stranded }: SimulatedFailure, head: (text: string) => string): string {
  const fields = formatFields(
    [
      ['hosts lost', lostHosts.map(({ hostName }) => hostName).join(', ')],
      ['would restart', restarts.length],
      ['would not', stranded.length],
    ],
    head,
  );
  const moved =
    restarts.length === 0
      ? ''
      : `\n${formatTable(
          restarts,
          [
            { title: 'VM', of: ({ vmName }) => vmName },
            { title: 'HA', of: ({ isHighlyAvailable }) => (isHighlyAvailable ? 'yes' : 'no') },
            { title: 'ON', of: ({ toHostName }) => toHostName },
          ],
          head,
        )}`;
  const left =
    stranded.length === 0
      ? ''
      : `\n${formatTable(
          stranded,
          [
            { title: 'VM', of: ({ vmName }) => vmName },
            { title: 'HA', of: ({ isHighlyAvailable }) => (isHighlyAvailable ? 'yes' : 'no') },
            { title: 'WHY NOT', of: ({ reason }) => reason },
          ],
          head,
        )}`;
  return fields + moved + left;
}
