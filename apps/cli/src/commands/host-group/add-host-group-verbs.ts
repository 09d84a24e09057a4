import type { AddVerb } from '../../cli.js';
import { addHostGroupBaseline } from './baseline.js';
import { addHostGroupCreate } from './create.js';
import { addHostGroupDelete } from './delete.js';
import { addHostGroupGet } from './get.js';
import { addHostGroupList } from './list.js';
import { addHostGroupPreview } from './preview.js';
import { addHostGroupUpdate } from './update.js';

export const addHostGroupVerbs: AddVerb = (program, cli) => {
  const group = program.command('host-group').description('Hosts between which VMs can move');
  addHostGroupList(group, cli);
  addHostGroupGet(group, cli);
  addHostGroupCreate(group, cli);
  addHostGroupUpdate(group, cli);
  addHostGroupDelete(group, cli);
  addHostGroupBaseline(group, cli);
  addHostGroupPreview(group, cli);
};
