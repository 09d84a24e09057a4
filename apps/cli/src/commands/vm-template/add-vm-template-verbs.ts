import type { AddVerb } from '../../cli.js';
import { addVmTemplateDelete } from './delete.js';
import { addVmTemplateGet } from './get.js';
import { addVmTemplateList } from './list.js';

export const addVmTemplateVerbs: AddVerb = (program, cli) => {
  const template = program.command('vm-template').description('Frozen VMs, of which others are forked');
  addVmTemplateList(template, cli);
  addVmTemplateGet(template, cli);
  addVmTemplateDelete(template, cli);
};
