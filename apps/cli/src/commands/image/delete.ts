import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveImage } from '../../resolve-name.js';

export const addImageDelete: AddVerb = (image, cli) => {
  image
    .command('delete')
    .description('Delete an image that no VM was made from')
    .argument('<image>', 'name or id')
    .addHelpText('after', examples('kvorum image delete debian-13'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.images.delete(await resolveImage(client, nameOrId));
      cli.note(`deleted image ${nameOrId}`);
    });
};
