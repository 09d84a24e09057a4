import type { AddVerb } from '../../cli.js';
import { addStoragePoolGet } from './get.js';
import { addStoragePoolList } from './list.js';
import { addStoragePoolUpdate } from './update.js';

export const addStoragePoolVerbs: AddVerb = (program, cli) => {
  const pool = program.command('storage-pool').description('Storage pools of hosts');
  addStoragePoolList(pool, cli);
  addStoragePoolGet(pool, cli);
  addStoragePoolUpdate(pool, cli);
};
