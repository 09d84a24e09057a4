import type { AddVerb } from '../../cli.js';
import { addSecurityGroupCreate } from './create.js';
import { addSecurityGroupDelete } from './delete.js';
import { addSecurityGroupGet } from './get.js';
import { addSecurityGroupList } from './list.js';
import { addSecurityGroupUpdate } from './update.js';

export const addSecurityGroupVerbs: AddVerb = (program, cli) => {
  const group = program.command('security-group').description('Who may talk to ports, and to whom they may');
  addSecurityGroupList(group, cli);
  addSecurityGroupGet(group, cli);
  addSecurityGroupCreate(group, cli);
  addSecurityGroupUpdate(group, cli);
  addSecurityGroupDelete(group, cli);
};
