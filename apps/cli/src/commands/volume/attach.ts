import { endWithOperation, type WaitOption } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm, resolveVolume } from '../../resolve-name.js';
import { describeVolume } from './describe-volume.js';

export const addVolumeAttach: AddVerb = (volume, cli) => {
  volume
    .command('attach')
    .description('Make a volume a data disk of a VM, at once if that runs')
    .argument('<volume>', 'name or id')
    .argument('<vm>', 'name or id')
    .option('--wait', 'until it is done')
    .addHelpText('after', examples('kvorum volume attach data web-1 --wait'))
    .action(async (nameOrId: string, vm: string, options: WaitOption) => {
      const client = cli.connect();
      const [volumeId, vmId] = await Promise.all([resolveVolume(client, nameOrId), resolveVm(client, vm)]);
      await endWithOperation(cli, client, await client.volumes.attach(volumeId, vmId), options, async () =>
        cli.show(await client.volumes.get(volumeId), describeVolume),
      );
    });
};
