import type { CreateVmBody, KvorumClient } from '@kvorum/client';
import { type Command, InvalidArgumentError } from 'commander';
import { collectText, given } from '../../option-values.js';
import { resolveImage } from '../../resolve-name.js';
import { partsOf } from './device-parts.js';
import { addDiskOptions, type DiskOptions, disksOf } from './disk-options.js';
import { addNetworkCardOptions, type NetworkCardOptions, networkCardsOf } from './network-card-options.js';

type Devices = NonNullable<NonNullable<CreateVmBody['hardware']>['devices']>;
type NewNic = NonNullable<Devices['nics']>[number];

export interface NewDeviceOptions extends DiskOptions, NetworkCardOptions {
  readonly nic?: readonly NewNic[];
  readonly cdrom?: readonly string[];
}

/** What is plugged into a VM that is to be. */
export const addNewDeviceOptions = (command: Command): Command =>
  addNetworkCardOptions(addDiskOptions(command))
    .option(
      '--nic <kind[,mac=address]>',
      'a network card: isolated, one without a network; may be given several times',
      collectNic,
    )
    .option(
      '--cdrom <image>',
      'a drive with an image in it: name or id; may be given several times: cdrom-1, cdrom-2, …',
      collectText,
    );

export async function newDevicesOf(client: KvorumClient, options: NewDeviceOptions): Promise<Devices> {
  const images = await Promise.all((options.cdrom ?? []).map((image) => resolveImage(client, image)));
  const cdroms = images.map((imageId, index) => ({ name: `cdrom-${index + 1}`, imageId }));
  const nics = [...(options.nic ?? []), ...(await networkCardsOf(client, options))];
  return {
    ...(await disksOf(client, options)),
    ...given({ nics: nics.length === 0 ? undefined : nics, cdroms: options.cdrom && cdroms }),
  };
}

const NIC_KINDS = ['isolated'] as const;

function collectNic(text: string, nics: readonly NewNic[] = []): readonly NewNic[] {
  const [asked, { mac: macAddress }] = partsOf(text, ['mac']);
  const kind = NIC_KINDS.find((known) => known === asked);
  if (kind === undefined)
    throw new InvalidArgumentError(
      `A card is of the kind ${NIC_KINDS.join(', ')}; for one on a network give --network.`,
    );
  return [...nics, { backend: { kind }, ...given({ macAddress }) }];
}
