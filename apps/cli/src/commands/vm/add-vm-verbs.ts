import type { AddVerb } from '../../cli.js';
import { addVmConsole } from './console.js';
import { addVmCreate } from './create.js';
import { addVmDelete } from './delete.js';
import { addVmExplain } from './explain.js';
import { addVmGet } from './get.js';
import { addVmList } from './list.js';
import { addVmPause } from './pause.js';
import { addVmReboot } from './reboot.js';
import { addVmReset } from './reset.js';
import { addVmResume } from './resume.js';
import { addVmStart } from './start.js';
import { addVmStop } from './stop.js';

export const addVmVerbs: AddVerb = (program, cli) => {
  const vm = program.command('vm').description('Virtual machines');
  addVmCreate(vm, cli);
  addVmList(vm, cli);
  addVmGet(vm, cli);
  addVmExplain(vm, cli);
  addVmStart(vm, cli);
  addVmStop(vm, cli);
  addVmReboot(vm, cli);
  addVmReset(vm, cli);
  addVmPause(vm, cli);
  addVmResume(vm, cli);
  addVmDelete(vm, cli);
  addVmConsole(vm, cli);
};
