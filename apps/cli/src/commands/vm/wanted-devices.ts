import type { UpdateVmBody, Vm } from '@kvorum/client';
import { usageError } from '../../usage-error.js';

type Devices = Vm['hardware']['devices'];
type ListName = 'dataDisks' | 'nics' | 'cdroms';
/** What an entry of each list is known by. */
const KEYS = { dataDisks: 'id', nics: 'id', cdroms: 'name' } as const;

/**
 * The devices that the VM is to have at its next start: what it has now, with what waits. A list is sent whole, so that one
 * made of the present ones alone would take back what waits.
 */
export function wantedDevices<Name extends ListName>({ hardware, pendingChanges }: Vm, name: Name): Devices[Name] {
  const key: string = KEYS[name];
  const entries = new Map<string, object>(
    hardware.devices[name].map((entry) => [String((entry as Record<string, unknown>)[key]), entry]),
  );
  for (const { field, to } of pendingChanges) {
    const match = /^hardware\.devices\.(\w+)\[([^\]]+)\](?:\.(\w+))?$/.exec(field);
    if (match === null || match[1] !== name) continue;
    const [, , id = '', part] = match;
    if (part !== undefined) entries.set(id, { ...entries.get(id), [part]: to });
    else if (to === null) entries.delete(id);
    else entries.set(id, to as object);
  }
  return [...entries.values()] as Devices[Name];
}

/** A change of one list, made from the VM as it was read: refused if somebody else changes the VM meanwhile. */
export const changeOfList = (vm: Vm, name: ListName, entries: readonly object[]) => ({
  vmId: vm.id,
  body: { hardware: { devices: { [name]: entries } } } satisfies UpdateVmBody,
  ifMatch: vm.generation,
});

/** By its id or the beginning of it, as far as that is of one alone. */
export function findDevice<Device extends { readonly id: string | null }>(
  devices: readonly Device[],
  kind: 'disk' | 'nic',
  idOrPart: string,
): Device {
  const found = devices.filter(({ id }) => id?.startsWith(idOrPart.toLowerCase()));
  const [device, ...others] = found;
  if (device !== undefined && others.length === 0) return device;
  const ids = devices.map(({ id }) => id).join(', ') || 'none';
  throw usageError(
    device === undefined ? `the VM has no ${kind} ${idOrPart}` : `several ${kind}s of the VM begin with ${idOrPart}`,
    `It has: ${ids}`,
  );
}
