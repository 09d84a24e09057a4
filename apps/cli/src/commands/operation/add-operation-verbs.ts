import type { AddVerb } from '../../cli.js';
import { addOperationCancel } from './cancel.js';
import { addOperationGet } from './get.js';
import { addOperationList } from './list.js';
import { addOperationResume } from './resume.js';
import { addOperationUnwind } from './unwind.js';
import { addOperationWatch } from './watch.js';

export const addOperationVerbs: AddVerb = (program, cli) => {
  const operation = program.command('operation').description('What is being done, step by step');
  addOperationList(operation, cli);
  addOperationGet(operation, cli);
  addOperationWatch(operation, cli);
  addOperationCancel(operation, cli);
  addOperationResume(operation, cli);
  addOperationUnwind(operation, cli);
};
