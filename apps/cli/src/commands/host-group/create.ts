import { Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectText, given, parseCount } from '../../option-values.js';
import { resolveHost } from '../../resolve-name.js';
import { describeHostGroup, reserveOf } from './describe-host-group.js';

interface CreateOptions {
  readonly description?: string;
  readonly policy?: 'pack' | 'spread' | 'balanced';
  readonly hostFailures?: number;
  readonly host?: readonly string[];
  readonly allowBaselineLoss?: boolean;
}

export const addHostGroupCreate: AddVerb = (group, cli) => {
  group
    .command('create')
    .description('Make a host group')
    .argument('<name>', 'a DNS label')
    .option('--description <text>', 'for people')
    .addOption(new Option('--policy <policy>', 'how its hosts are filled').choices(['pack', 'spread', 'balanced']))
    .option(
      '--host-failures <count>',
      'so many hosts may be lost, and highly available VMs still have room',
      parseCount,
    )
    .option('--host <host>', 'a member: name or id; may be given several times', collectText)
    .option('--allow-baseline-loss', 'although the hosts have not the same CPU features')
    .addHelpText('after', examples('kvorum host-group create rack-7 --host host-a --host host-b'))
    .action(async (name: string, { host = [], ...options }: CreateOptions) => {
      const client = cli.connect();
      const { description, policy, hostFailures, allowBaselineLoss } = options;
      const hostIds = await Promise.all(host.map((nameOrId) => resolveHost(client, nameOrId)));
      const body = {
        name,
        hostIds,
        ...given({ description, policy, allowBaselineLoss, reserve: reserveOf(hostFailures) }),
      };
      cli.show(await client.hostGroups.create(body), describeHostGroup);
    });
};
