import type { CreateVmBody, KvorumClient } from '@kvorum/client';
import type { Command } from 'commander';
import { collectText } from '../../option-values.js';
import { resolveNetwork, resolvePort, resolveSecurityGroup } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';

type Nic = NonNullable<NonNullable<NonNullable<CreateVmBody['hardware']>['devices']>['nics']>[number];

export interface NetworkCardOptions {
  readonly network?: readonly string[];
  readonly port?: readonly string[];
  readonly securityGroup?: readonly string[];
}

/** Cards on networks, for verbs that make a VM or add to it. */
export const addNetworkCardOptions = (command: Command): Command =>
  command
    .option(
      '--network <network>',
      'a card with a new port on this network: name or id; may be given several times',
      collectText,
    )
    .option('--port <port>', 'a card with this port: NETWORK/PORT or id; may be given several times', collectText)
    .option('--security-group <group>', 'of the new ports: name or id; may be given several times', collectText);

export async function networkCardsOf(client: KvorumClient, options: NetworkCardOptions): Promise<Nic[]> {
  const { network = [], port = [], securityGroup = [] } = options;
  if (network.length === 0 && securityGroup.length > 0) {
    throw usageError('--security-group is of the ports that --network makes', 'Add --network, or change the port.');
  }
  const [networkIds, portIds, securityGroupIds] = await Promise.all([
    Promise.all(network.map((one) => resolveNetwork(client, one))),
    Promise.all(port.map((one) => resolvePort(client, one))),
    Promise.all(securityGroup.map((one) => resolveSecurityGroup(client, one))),
  ]);
  return [
    ...networkIds.map((networkId): Nic => ({ backend: { kind: 'network', networkId, securityGroupIds } })),
    ...portIds.map((portId): Nic => ({ backend: { kind: 'network', portId } })),
  ];
}
