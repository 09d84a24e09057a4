import { Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectText, given, parseCount } from '../../option-values.js';
import { resolveHost, resolveHostGroup } from '../../resolve-name.js';
import { describeHostGroup, reserveOf } from './describe-host-group.js';

interface UpdateOptions {
  readonly name?: string;
  readonly description?: string;
  readonly policy?: 'pack' | 'spread' | 'balanced';
  readonly hostFailures?: number;
  readonly addHost?: readonly string[];
  readonly removeHost?: readonly string[];
  readonly allowBaselineLoss?: boolean;
}

export const addHostGroupUpdate: AddVerb = (group, cli) => {
  group
    .command('update')
    .description('Change a host group and who is in it. A host that takes something from its CPU baseline is refused.')
    .argument('<group>', 'name or id')
    .option('--name <name>', 'a DNS label')
    .option('--description <text>', 'for people')
    .addOption(new Option('--policy <policy>', 'how its hosts are filled').choices(['pack', 'spread', 'balanced']))
    .option(
      '--host-failures <count>',
      'so many hosts may be lost, and highly available VMs still have room',
      parseCount,
    )
    .option('--add-host <host>', 'name or id; may be given several times', collectText)
    .option('--remove-host <host>', 'name or id; may be given several times', collectText)
    .option('--allow-baseline-loss', 'let hosts join although the group loses something by them')
    .addHelpText('after', examples('kvorum host-group update rack-7 --add-host host-c'))
    .action(async (nameOrId: string, options: UpdateOptions) => {
      const client = cli.connect();
      const idsOf = (hosts: readonly string[] = []) => Promise.all(hosts.map((host) => resolveHost(client, host)));
      const { name, description, policy, hostFailures, allowBaselineLoss } = options;
      const [addHostIds, removeHostIds] = [await idsOf(options.addHost), await idsOf(options.removeHost)];
      const body = {
        addHostIds,
        removeHostIds,
        ...given({ name, description, policy, allowBaselineLoss, reserve: reserveOf(hostFailures) }),
      };
      cli.show(await client.hostGroups.update(await resolveHostGroup(client, nameOrId), body), describeHostGroup);
    });
};
