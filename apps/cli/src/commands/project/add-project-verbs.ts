import type { AddVerb } from '../../cli.js';
import { addProjectCreate } from './create.js';
import { addProjectGet } from './get.js';
import { addProjectList } from './list.js';
import { addProjectSetQuota } from './set-quota.js';

export const addProjectVerbs: AddVerb = (program, cli) => {
  const project = program.command('project').description('Who shares VMs and quotas');
  addProjectList(project, cli);
  addProjectGet(project, cli);
  addProjectCreate(project, cli);
  addProjectSetQuota(project, cli);
};
