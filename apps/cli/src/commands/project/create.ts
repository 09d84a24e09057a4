import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeProject } from './describe-project.js';
import { addQuotaOptions, type QuotaOptions, quotaOf } from './quota-options.js';

export const addProjectCreate: AddVerb = (project, cli) => {
  addQuotaOptions(project.command('create'))
    .description('Make a project with its quota')
    .argument('<name>', 'a DNS label')
    .addHelpText('after', examples('kvorum project create web --vms 10 --vcpus 40 --memory 64GiB --disk 2TiB'))
    .action(async (name: string, options: QuotaOptions) =>
      cli.show(await cli.connect().projects.create({ name, quota: quotaOf(options) }), describeProject),
    );
};
