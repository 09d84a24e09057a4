import type { Instance } from '@kvorum/host-network';
import type { NetworkKeeper } from '../network/network-keeper.js';
import type { VmDirectory } from '../vm/vm-directory.js';

/**
 * Who has this address of a network here: the VM that runs with a card on the port. Null: none does, or nothing is kept for it. What it
 * was started with is what its seed disk says; what waits for its next start is not told before.
 */
export function findInstance(
  { keeper, directory }: { readonly keeper: NetworkKeeper; readonly directory: Pick<VmDirectory, 'actors'> },
  networkId: string,
  address: string,
): Instance | null {
  const port = keeper.portAt(networkId, address);
  if (port === null) return null;
  const owners = directory.actors.flatMap(({ live, record }) => {
    const spec = live === null ? null : (record?.spec ?? null);
    const isHere = spec?.hardware.devices.nics.some(
      ({ backend }) => backend.kind === 'network' && backend.portId === port.id,
    );
    return spec !== null && isHere === true ? [spec] : [];
  });
  const [owner, ...others] = owners;
  if (owner?.cloudInit == null || others.length > 0) return null;
  return { ...owner.cloudInit, macAddress: port.macAddress, address };
}
