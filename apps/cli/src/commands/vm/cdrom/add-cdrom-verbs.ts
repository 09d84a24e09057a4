import type { AddVerb } from '../../../cli.js';
import { addVmCdromAdd } from './add.js';
import { addVmCdromEject } from './eject.js';
import { addVmCdromInsert } from './insert.js';

export const addVmCdromVerbs: AddVerb = (vm, cli) => {
  const cdrom = vm.command('cdrom').description('CD-ROM drives of a VM');
  addVmCdromAdd(cdrom, cli);
  addVmCdromInsert(cdrom, cli);
  addVmCdromEject(cdrom, cli);
};
