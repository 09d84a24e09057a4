import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVolume } from '../../resolve-name.js';
import { describeVolume } from './describe-volume.js';

export const addVolumeGet: AddVerb = (volume, cli) => {
  volume
    .command('get')
    .description('Show a volume')
    .argument('<volume>', 'name or id')
    .addHelpText('after', examples('kvorum volume get data'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.volumes.get(await resolveVolume(client, nameOrId)), describeVolume);
    });
};
