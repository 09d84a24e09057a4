import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeImage } from './describe-image.js';
import { addNamingOptions, type NamingOptions, namingOf } from './naming-options.js';

interface ImportOptions extends NamingOptions {
  readonly sha256: string;
}

export const addImageImport: AddVerb = (image, cli) => {
  addNamingOptions(image.command('import'))
    .description('Take an image from the import folder on the machine of the control plane')
    .argument('<file>', 'name of a file in that folder')
    .requiredOption('--sha256 <hex>', 'checksum the file must have')
    .addHelpText('after', examples('kvorum image import debian-13.qcow2 --name debian-13 --sha256 9f86d081…'))
    .action(async (fileName: string, options: ImportOptions) => {
      const client = cli.connect();
      const body = { ...(await namingOf(client, options)), fileName, sha256: options.sha256 };
      cli.show(await client.images.import(body), describeImage);
    });
};
