import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveProject } from '../../resolve-name.js';
import { describeProject } from './describe-project.js';
import { addQuotaOptions, type QuotaOptions, quotaOf } from './quota-options.js';

export const addProjectSetQuota: AddVerb = (project, cli) => {
  addQuotaOptions(project.command('set-quota'))
    .description('Set the quota of a project; one below what is in use stops growth and takes nothing away')
    .argument('<project>', 'name or id')
    .addHelpText('after', examples('kvorum project set-quota web --vms 20 --vcpus 80 --memory 128GiB --disk 4TiB'))
    .action(async (nameOrId: string, options: QuotaOptions) => {
      const client = cli.connect();
      cli.show(
        await client.projects.setQuota(await resolveProject(client, nameOrId), quotaOf(options)),
        describeProject,
      );
    });
};
