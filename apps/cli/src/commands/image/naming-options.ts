import type { KvorumClient } from '@kvorum/client';
import type { Command } from 'commander';
import { collectLabel, given } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';

export interface NamingOptions {
  readonly name: string;
  readonly project?: string;
  readonly public?: boolean;
  readonly label?: Record<string, string>;
}

export const addNamingOptions = (command: Command): Command =>
  command
    .requiredOption('--name <name>', 'what the image will be called: a DNS label')
    .option('--project <project>', "name or id; default: the token's")
    .option('--public', 'usable by every project (admins)')
    .option('--label <key=value>', 'may be given several times', collectLabel);

export const namingOf = async (client: KvorumClient, options: NamingOptions) => {
  const projectId = await resolveOptional(resolveProject, client, options.project);
  return { name: options.name, ...given({ projectId, isPublic: options.public, labels: options.label }) };
};
