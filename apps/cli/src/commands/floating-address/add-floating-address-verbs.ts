import type { AddVerb } from '../../cli.js';
import { addFloatingAddressAssociate } from './associate.js';
import { addFloatingAddressCreate } from './create.js';
import { addFloatingAddressDissociate } from './dissociate.js';
import { addFloatingAddressGet } from './get.js';
import { addFloatingAddressList } from './list.js';
import { addFloatingAddressRelease } from './release.js';

export const addFloatingAddressVerbs: AddVerb = (program, cli) => {
  const address = program.command('floating-address').description('Addresses by which ports are reached from outside');
  addFloatingAddressList(address, cli);
  addFloatingAddressGet(address, cli);
  addFloatingAddressCreate(address, cli);
  addFloatingAddressAssociate(address, cli);
  addFloatingAddressDissociate(address, cli);
  addFloatingAddressRelease(address, cli);
};
