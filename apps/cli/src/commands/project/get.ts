import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveProject } from '../../resolve-name.js';
import { describeProject } from './describe-project.js';

export const addProjectGet: AddVerb = (project, cli) => {
  project
    .command('get')
    .description('Show a project')
    .argument('<project>', 'name or id')
    .addHelpText('after', examples('kvorum project get default'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.projects.get(await resolveProject(client, nameOrId)), describeProject);
    });
};
