import type { AddVerb } from '../../../cli.js';
import { addVmDiskAdd } from './add.js';
import { addVmDiskList } from './list.js';
import { addVmDiskRemove } from './remove.js';
import { addVmDiskResize } from './resize.js';

export const addVmDiskVerbs: AddVerb = (vm, cli) => {
  const disk = vm.command('disk').description('Disks of a VM');
  addVmDiskAdd(disk, cli);
  addVmDiskList(disk, cli);
  addVmDiskResize(disk, cli);
  addVmDiskRemove(disk, cli);
};
