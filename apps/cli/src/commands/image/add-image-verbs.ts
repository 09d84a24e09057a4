import type { AddVerb } from '../../cli.js';
import { addImageDelete } from './delete.js';
import { addImageDownload } from './download.js';
import { addImageGet } from './get.js';
import { addImageImport } from './import.js';
import { addImageList } from './list.js';
import { addImageUpload } from './upload.js';

export const addImageVerbs: AddVerb = (program, cli) => {
  const image = program.command('image').description('Disks to start from');
  addImageList(image, cli);
  addImageGet(image, cli);
  addImageImport(image, cli);
  addImageDownload(image, cli);
  addImageUpload(image, cli);
  addImageDelete(image, cli);
};
