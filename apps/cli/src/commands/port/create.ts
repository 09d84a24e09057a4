import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectText, given } from '../../option-values.js';
import { resolveNetwork, resolveOptional, resolveSecurityGroup, resolveVm } from '../../resolve-name.js';
import { addBandwidthOptions, type BandwidthOptions, bandwidthOf } from './bandwidth-options.js';
import { describePort } from './describe-port.js';

interface CreateOptions extends BandwidthOptions {
  readonly name?: string;
  readonly address?: string;
  readonly mac?: string;
  readonly vm?: string;
  readonly group?: readonly string[];
}

export const addPortCreate: AddVerb = (port, cli) => {
  addBandwidthOptions(port.command('create'))
    .description('Make a port on a network')
    .argument('<network>', 'name or id')
    .option('--name <name>', 'its DNS name in the domain of the network')
    .option('--address <address>', 'default: one that is free')
    .option('--mac <address>', 'default: a random one')
    .option('--vm <vm>', 'the VM it is for: name or id')
    .option('--group <group>', 'a security group: name or id; may be given several times', collectText)
    .addHelpText('after', examples('kvorum port create shop --name web-1 --group web'))
    .action(async (nameOrId: string, { name, address, mac: macAddress, vm, group = [], ...options }: CreateOptions) => {
      const client = cli.connect();
      const vmId = await resolveOptional(resolveVm, client, vm);
      const securityGroupIds = await Promise.all(group.map((one) => resolveSecurityGroup(client, one)));
      const body = { securityGroupIds, ...given({ name, address, macAddress, vmId }), ...bandwidthOf(options) };
      cli.show(await client.ports.create(await resolveNetwork(client, nameOrId), body), describePort);
    });
};
