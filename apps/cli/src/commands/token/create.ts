import type { CreateTokenBody } from '@kvorum/client';
import { Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { parseDurationSeconds } from '../../duration.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { writeSecretFile } from '../../write-secret-file.js';
import { describeToken } from './describe-token.js';

interface CreateOptions {
  readonly role: CreateTokenBody['role'];
  readonly project?: string;
  readonly validFor?: number;
  readonly secretFile?: string;
}

export const addTokenCreate: AddVerb = (token, cli) => {
  token
    .command('create')
    .description('Make an API token; its secret is shown once')
    .argument('<name>', 'a DNS label')
    .addOption(
      new Option('--role <role>', 'what it may do').choices(['admin', 'operator', 'viewer']).makeOptionMandatory(),
    )
    .option('--project <project>', 'limit it to one project: name or id')
    .option('--valid-for <time>', "such as 30d; default: the control plane's", parseDurationSeconds)
    .option('--secret-file <path>', 'write the secret into a new file that only you can read, instead of printing it')
    .addHelpText('after', examples('kvorum token create ci --role operator --project web --secret-file ci.token'))
    .action(async (name: string, { role, project, validFor, secretFile }: CreateOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, project);
      const issued = await client.tokens.create({ name, role, ...given({ projectId, validForSeconds: validFor }) });
      if (secretFile !== undefined) writeSecretFile(secretFile, issued.secret);
      const { secret, ...rest } = issued;
      cli.show(secretFile === undefined ? issued : rest, () => [
        ...describeToken(issued),
        secretFile === undefined ? ['secret', secret] : ['secret in', secretFile],
      ]);
      if (secretFile === undefined && cli.format === 'table') cli.note('the secret is shown only this once');
    });
};
