import { randomUUID } from 'node:crypto';
import { type CloudInit, type CloudInitChange, type CloudInitRequest, DomainError, newId } from '@kvorum/schema';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.js';
import type { SecretBox } from '../site/secret-box.js';
import { findUserData, type NewUserData } from './user-data.store.js';

/** Who the guest of a VM is, as it is recorded: what is secret of it lies elsewhere, sealed. */
export const CloudInitRecord = z.object({
  /** Of this VM alone: a copy of it gets another one. */
  instanceId: z.uuid(),
  /** Null: the VM's name. */
  hostname: z.string().nullable(),
  sshAuthorizedKeys: z.array(z.string()),
  userDataId: z.uuid().nullable(),
});
export type CloudInitRecord = z.infer<typeof CloudInitRecord>;

export interface WantedCloudInit {
  /** Null: the VM has no seed disk. */
  readonly record: CloudInitRecord | null;
  /** To be kept with the record. */
  readonly newUserData: NewUserData | null;
}

const placeOf = (vmId: string, userDataId: string): string => `user-data ${vmId} ${userDataId}`;

/** Of a VM that is to be. */
export function newCloudInit(secrets: SecretBox, vmId: string, request: CloudInitRequest | undefined): WantedCloudInit {
  if (request === undefined) return { record: null, newUserData: null };
  return changedCloudInit(secrets, vmId, null, request);
}

/** `before`: what it was to have until now. */
export function changedCloudInit(
  secrets: SecretBox,
  vmId: string,
  before: CloudInitRecord | null,
  change: CloudInitChange | null | undefined,
): WantedCloudInit {
  if (change === undefined) return { record: before, newUserData: null };
  if (change === null) return { record: null, newUserData: null };
  const { userData, ...rest } = change;
  const base = before ?? { instanceId: randomUUID(), hostname: null, sshAuthorizedKeys: [], userDataId: null };
  const { hostname = base.hostname, sshAuthorizedKeys = base.sshAuthorizedKeys } = rest;
  const record = { ...base, hostname, sshAuthorizedKeys };
  if (userData === undefined) return { record, newUserData: null };
  if (userData === null) return { record: { ...record, userDataId: null }, newUserData: null };
  const id = newId<string>();
  const newUserData = { id, vmId, sealed: secrets.seal(userData, placeOf(vmId, id)) };
  return { record: { ...record, userDataId: id }, newUserData };
}

/** What the VM's host is told. */
export async function cloudInitOf(
  { database, secrets }: Pick<ControlPlane, 'database' | 'secrets'>,
  vm: { readonly vmId: string; readonly name: string; readonly cloudInit: CloudInitRecord | null },
): Promise<CloudInit | null> {
  if (vm.cloudInit === null) return null;
  const { instanceId, hostname, sshAuthorizedKeys, userDataId } = vm.cloudInit;
  const told = { instanceId, hostname: hostname ?? vm.name, sshAuthorizedKeys };
  if (userDataId === null) return { ...told, userData: null };
  const sealed = await findUserData(database, vm.vmId, userDataId);
  if (sealed === null) throw new DomainError('conflict_state', 'the user data of the VM is gone; give it anew');
  return { ...told, userData: secrets.open(sealed, placeOf(vm.vmId, userDataId)) };
}
