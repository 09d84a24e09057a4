import type { CreateNetworkBody } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given, parseCount } from '../../option-values.js';
import { resolveOptional, resolveProject } from '../../resolve-name.js';
import { describeNetwork } from './describe-network.js';

interface CreateOptions {
  readonly cidr: string;
  readonly kind?: NonNullable<CreateNetworkBody['kind']>;
  readonly project?: string;
  readonly gateway?: string;
  readonly domain?: string;
  readonly mtu?: number;
  readonly uplink?: string;
  readonly vlan?: number;
}

export const addNetworkCreate: AddVerb = (network, cli) => {
  network
    .command('create')
    .description('Make a network')
    .argument('<name>', 'a DNS label')
    .requiredOption('--cidr <range>', 'addresses of its ports, such as 10.20.0.0/24')
    .option('--kind <kind>', 'nat (default), bridge (a wire of the site; for admins) or vxlan (guests of all hosts)')
    .option('--project <project>', "name or id; default: the token's")
    .option('--gateway <address>', 'default: the first address')
    .option('--domain <domain>', 'of the names of its ports; default: NAME.internal')
    .option('--mtu <bytes>', 'largest packet of guests', parseCount)
    .option('--uplink <interface>', 'of bridge: what leads to the wire on each host')
    .option('--vlan <id>', 'of bridge: 1 to 4094; without it, untagged', parseCount)
    .addHelpText(
      'after',
      examples(
        'kvorum network create shop --cidr 10.20.0.0/24 --kind vxlan',
        'kvorum network create lan --cidr 192.168.7.0/24 --kind bridge --uplink eth1 --vlan 7',
      ),
    )
    .action(async (name: string, options: CreateOptions) => {
      const client = cli.connect();
      const projectId = await resolveOptional(resolveProject, client, options.project);
      const { cidr, kind, gateway, domain: dnsDomain, mtu, uplink, vlan: vlanId } = options;
      const body = { name, cidr, ...given({ projectId, kind, gateway, dnsDomain, mtu, uplink, vlanId }) };
      cli.show(await client.networks.create(body), describeNetwork);
    });
};
