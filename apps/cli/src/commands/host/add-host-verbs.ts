import type { AddVerb } from '../../cli.js';
import { addHostCheck } from './check.js';
import { addHostCordon } from './cordon.js';
import { addHostDrain } from './drain.js';
import { addHostEnrol } from './enrol.js';
import { addHostGet } from './get.js';
import { addHostList } from './list.js';
import { addHostRevoke } from './revoke.js';
import { addHostSweep } from './sweep.js';
import { addHostUncordon } from './uncordon.js';

export const addHostVerbs: AddVerb = (program, cli) => {
  const host = program.command('host').description('The machines that VMs run on');
  addHostList(host, cli);
  addHostGet(host, cli);
  addHostEnrol(host, cli);
  addHostCheck(host, cli);
  addHostCordon(host, cli);
  addHostUncordon(host, cli);
  addHostDrain(host, cli);
  addHostSweep(host, cli);
  addHostRevoke(host, cli);
};
