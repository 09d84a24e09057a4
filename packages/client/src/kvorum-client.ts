import { eventCalls } from './resources/events.js';
import { flavorCalls } from './resources/flavors.js';
import { floatingAddressCalls, floatingRangeCalls } from './resources/floating-addresses.js';
import { hostGroupCalls } from './resources/host-groups.js';
import { hostCalls } from './resources/hosts.js';
import { imageCalls } from './resources/images.js';
import { leftoverCalls } from './resources/leftovers.js';
import { networkCalls, portCalls } from './resources/networks.js';
import { operationCalls } from './resources/operations.js';
import { placementCalls } from './resources/placements.js';
import { projectCalls } from './resources/projects.js';
import { securityGroupCalls } from './resources/security-groups.js';
import { storagePoolCalls } from './resources/storage-pools.js';
import { tokenCalls } from './resources/tokens.js';
import { vmGroupCalls } from './resources/vm-groups.js';
import { vmTemplateCalls } from './resources/vm-templates.js';
import { vmCalls } from './resources/vms.js';
import { volumeSnapshotCalls } from './resources/volume-snapshots.js';
import { volumeCalls } from './resources/volumes.js';
import { type ClientOptions, openTransport } from './transport.js';

export type KvorumClient = ReturnType<typeof createKvorumClient>;

/** Every call of the REST API, typed from its OpenAPI document. Throws KvorumError if `baseUrl` is no http(s) address. */
export function createKvorumClient(options: ClientOptions) {
  const transport = openTransport(options);
  return {
    events: eventCalls(transport),
    flavors: flavorCalls(transport),
    floatingAddresses: floatingAddressCalls(transport),
    floatingRanges: floatingRangeCalls(transport),
    hostGroups: hostGroupCalls(transport),
    hosts: hostCalls(transport),
    images: imageCalls(transport),
    leftovers: leftoverCalls(transport),
    networks: networkCalls(transport),
    storagePools: storagePoolCalls(transport),
    vmTemplates: vmTemplateCalls(transport),
    volumes: volumeCalls(transport),
    volumeSnapshots: volumeSnapshotCalls(transport),
    operations: operationCalls(transport),
    placements: placementCalls(transport),
    ports: portCalls(transport),
    projects: projectCalls(transport),
    securityGroups: securityGroupCalls(transport),
    vmGroups: vmGroupCalls(transport),
    tokens: tokenCalls(transport),
    vms: vmCalls(transport),
  };
}
