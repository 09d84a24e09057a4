import { endWithOperation, type WaitOption } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { describeImage } from './describe-image.js';
import { addNamingOptions, type NamingOptions, namingOf } from './naming-options.js';

interface DownloadOptions extends NamingOptions, WaitOption {
  readonly sha256?: string;
  readonly sha512?: string;
}

export const addImageDownload: AddVerb = (image, cli) => {
  addNamingOptions(image.command('download'))
    .description('Let the control plane fetch an image from a web server (qcow2, raw, vdi, vhdx, vhd)')
    .argument('<url>', 'where it is published')
    .option('--sha256 <hex>', 'checksum the file must have; needed for http')
    .option('--sha512 <hex>', 'instead of --sha256')
    .option('--wait', 'until it is there')
    .addHelpText(
      'after',
      examples(
        'kvorum image download https://cloud.example.org/debian-13-genericcloud-amd64.qcow2 --name debian-13 --sha512 9f86d081… --wait',
      ),
    )
    .action(async (url: string, options: DownloadOptions) => {
      const client = cli.connect();
      const checksum = given({ sha256: options.sha256, sha512: options.sha512 });
      const accepted = await client.images.download({ ...(await namingOf(client, options)), url, ...checksum });
      await endWithOperation(cli, client, accepted, options, async () =>
        cli.show(await client.images.get(accepted.resourceId), describeImage),
      );
    });
};
