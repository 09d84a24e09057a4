import type { AddVerb } from '../../cli.js';
import { addPortCreate } from './create.js';
import { addPortDelete } from './delete.js';
import { addPortGet } from './get.js';
import { addPortList } from './list.js';
import { addPortUpdate } from './update.js';

export const addPortVerbs: AddVerb = (program, cli) => {
  const port = program.command('port').description('Places on networks, with their addresses');
  addPortList(port, cli);
  addPortGet(port, cli);
  addPortCreate(port, cli);
  addPortUpdate(port, cli);
  addPortDelete(port, cli);
};
