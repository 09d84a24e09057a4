import type { AddVerb } from '../../cli.js';
import { addNetworkCreate } from './create.js';
import { addNetworkDelete } from './delete.js';
import { addNetworkGet } from './get.js';
import { addNetworkList } from './list.js';
import { addNetworkUpdate } from './update.js';

export const addNetworkVerbs: AddVerb = (program, cli) => {
  const network = program.command('network').description('Networks of projects');
  addNetworkList(network, cli);
  addNetworkGet(network, cli);
  addNetworkCreate(network, cli);
  addNetworkUpdate(network, cli);
  addNetworkDelete(network, cli);
};
