import type { HostSweep } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import type { Field } from '../../print-table.js';
import { resolveHost } from '../../resolve-name.js';

const describeSweep = ({ leftovers, removed, faults }: HostSweep): readonly Field[] => [
  ['leftovers', leftovers.length],
  ['removed', removed.length],
  ...leftovers.map(({ id, kind, ownerId, sizeBytes, reason }): Field => {
    return [`leftover ${id}`, `${kind} of ${ownerId ?? 'nobody'}, ${formatByteSize(sizeBytes)}: ${reason}`];
  }),
  ...removed.map(({ kind, ownerId }): Field => [`removed ${kind}`, ownerId]),
  ...faults.map((fault): Field => ['not looked at', fault]),
];

export const addHostSweep: AddVerb = (host, cli) => {
  host
    .command('sweep')
    .description('Look at a host for what belongs to nobody: data is put into quarantine, the rest removed')
    .argument('<host>', 'name or id')
    .addHelpText('after', examples('kvorum host sweep host-a'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.hosts.sweep(await resolveHost(client, nameOrId)), describeSweep);
    });
};
