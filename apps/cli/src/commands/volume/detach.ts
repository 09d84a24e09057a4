import { endWithOperation, type WaitOption } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVolume } from '../../resolve-name.js';
import { describeVolume } from './describe-volume.js';

export const addVolumeDetach: AddVerb = (volume, cli) => {
  volume
    .command('detach')
    .description('Take a volume from its VM; a guest that runs has to let go of it')
    .argument('<volume>', 'name or id')
    .option('--wait', 'until it is done')
    .addHelpText('after', examples('kvorum volume detach data --wait'))
    .action(async (nameOrId: string, options: WaitOption) => {
      const client = cli.connect();
      const volumeId = await resolveVolume(client, nameOrId);
      await endWithOperation(cli, client, await client.volumes.detach(volumeId), options, async () =>
        cli.show(await client.volumes.get(volumeId), describeVolume),
      );
    });
};
