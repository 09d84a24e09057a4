import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveImage } from '../../resolve-name.js';
import { describeImage } from './describe-image.js';

export const addImageGet: AddVerb = (image, cli) => {
  image
    .command('get')
    .description('Show an image')
    .argument('<image>', 'name or id')
    .addHelpText('after', examples('kvorum image get debian-13'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.images.get(await resolveImage(client, nameOrId)), describeImage);
    });
};
