import type { AcceptedOperation, KvorumClient, MutationOptions, VolumePlan } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVolume } from '../../resolve-name.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

interface Verb {
  readonly name: 'delete' | 'restore' | 'purge';
  readonly description: string;
  ask(
    client: KvorumClient,
    volumeId: string,
    query: { readonly dryRun?: 'plan' },
    options: MutationOptions,
  ): Promise<AcceptedOperation | VolumePlan>;
}

/** Verbs that take nothing but the volume's name. */
const VERBS: readonly Verb[] = [
  {
    name: 'delete',
    description: 'Move a volume into the trash of its pool, with its snapshots; it can be restored until it is purged',
    ask: (client, volumeId, query, options) => client.volumes.delete(volumeId, query, options),
  },
  {
    name: 'restore',
    description: 'Take a volume out of the trash',
    ask: (client, volumeId, query, options) => client.volumes.press(volumeId, 'restore', query, options),
  },
  {
    name: 'purge',
    description: 'End a volume in the trash for good',
    ask: (client, volumeId, query, options) => client.volumes.press(volumeId, 'purge', query, options),
  },
];

export const addVolumePress: AddVerb = (volume, cli) => {
  for (const { name, description, ask } of VERBS) {
    addVolumeEndOptions(volume.command(name))
      .description(description)
      .argument('<volume>', 'name or id')
      .addHelpText('after', examples(`kvorum volume ${name} data --wait`))
      .action(async (nameOrId: string, options: VolumeEndOptions) => {
        const client = cli.connect();
        const volumeId = await resolveVolume(client, nameOrId);
        await endVolumeVerb(cli, client, options, (query, call) => ask(client, volumeId, query, call));
      });
  }
};
