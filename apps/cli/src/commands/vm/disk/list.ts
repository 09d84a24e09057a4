import type { Vm } from '@kvorum/client';
import { formatByteSize } from '../../../byte-size.js';
import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import type { Column } from '../../../print-table.js';
import { resolveVm } from '../../../resolve-name.js';
import { valueText } from '../../../value-text.js';

type Disk = Omit<Vm['hardware']['devices']['dataDisks'][number], 'id'> & {
  readonly id: string | null;
  readonly role: 'root' | 'data';
};

const COLUMNS: readonly Column<Pick<Disk, 'id' | 'role' | 'sizeBytes' | 'throttle' | 'serial'>>[] = [
  { title: 'ROLE', of: ({ role }) => role },
  { title: 'SIZE', of: ({ sizeBytes }) => formatByteSize(sizeBytes) },
  { title: 'LIMITS', of: ({ throttle }) => valueText('throttle', throttle) },
  { title: 'SERIAL', of: ({ serial }) => serial },
  { title: 'ID', of: ({ id }) => id },
];

/** As the VM has them now; what waits for its next start is in `kvorum vm get`. */
function disksOf({ volumes, hardware: { devices } }: Vm) {
  const root = volumes.filter(({ role }) => role === 'root');
  return [
    ...root.map(({ id, sizeBytes }) => ({
      id,
      role: 'root' as const,
      sizeBytes,
      throttle: devices.rootDisk.throttle,
      serial: null,
    })),
    ...devices.dataDisks.map((disk) => ({ ...disk, role: 'data' as const })),
  ];
}

export const addVmDiskList: AddVerb = (disk, cli) => {
  disk
    .command('list')
    .description('List the disks of a VM')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm disk list web-1'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.showPage({ items: disksOf(await client.vms.get(await resolveVm(client, nameOrId))) }, COLUMNS);
    });
};
