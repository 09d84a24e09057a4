import type { ImagesQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { IMAGE_COLUMNS } from './describe-image.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly state?: NonNullable<ImagesQuery['state']>;
}

export const addImageList: AddVerb = (image, cli) => {
  addPageOptions(image.command('list'))
    .description('List images')
    .option('--project <project>', 'name or id')
    .option('--state <state>', 'such as available')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const filter = given({ projectId, state: options.state });
      cli.showPage(await readPages(options, (page) => client.images.list({ ...filter, ...page })), IMAGE_COLUMNS);
    });
};
