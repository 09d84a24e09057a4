import type { AddVerb } from '../../cli.js';
import { addVmGroupCreate } from './create.js';
import { addVmGroupDelete } from './delete.js';
import { addVmGroupGet } from './get.js';
import { addVmGroupList } from './list.js';
import { addVmGroupUpdate } from './update.js';

export const addVmGroupVerbs: AddVerb = (program, cli) => {
  const group = program.command('vm-group').description('VMs that are to be near each other or apart');
  addVmGroupList(group, cli);
  addVmGroupGet(group, cli);
  addVmGroupCreate(group, cli);
  addVmGroupUpdate(group, cli);
  addVmGroupDelete(group, cli);
};
