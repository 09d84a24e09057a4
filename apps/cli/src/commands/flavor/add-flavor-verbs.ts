import type { AddVerb } from '../../cli.js';
import { addFlavorCreate } from './create.js';
import { addFlavorDelete } from './delete.js';
import { addFlavorList } from './list.js';

export const addFlavorVerbs: AddVerb = (program, cli) => {
  const flavor = program.command('flavor').description('Sizes of VMs');
  addFlavorList(flavor, cli);
  addFlavorCreate(flavor, cli);
  addFlavorDelete(flavor, cli);
};
