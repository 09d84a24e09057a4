import type { AddVerb } from '../../../cli.js';
import { addVmNicAdd } from './add.js';
import { addVmNicList } from './list.js';
import { addVmNicRemove } from './remove.js';

export const addVmNicVerbs: AddVerb = (vm, cli) => {
  const nic = vm.command('nic').description('Network cards of a VM');
  addVmNicAdd(nic, cli);
  addVmNicList(nic, cli);
  addVmNicRemove(nic, cli);
};
