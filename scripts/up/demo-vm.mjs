// The VM that `up` shows: image and flavor if they are not there yet, the VM itself, and what its guest says.
import { createReadStream, statSync } from 'node:fs';
import { poll } from './api-client.mjs';

const MIB = 1024 * 1024;
export const VM_NAME = 'demo';
const IMAGE_NAME = 'tiny';
const FLAVOR = { name: 'small', vcpuCount: 1, memoryBytes: 128 * MIB, rootDiskBytes: 256 * MIB };
const GUEST_UP_TIMEOUT_MS = 240_000; // 10 s is usual under emulation; machines may be busy
const GUEST_UP_PATTERN = /^KVORUM-GUEST-UP .*$/m;
const SHORT_HASH_LENGTH = 8;

/** Names are unique in a project: an image of another recipe may have ours. */
const freeImageName = async (api, sha256) => {
  const [older] = await api.list('/v1/images', { name: IMAGE_NAME });
  if (!older) return IMAGE_NAME;
  try {
    await api.call('DELETE', `/v1/images/${older.id}`);
    return IMAGE_NAME;
  } catch (error) {
    if (error.code !== 'in_use') throw error;
    return `${IMAGE_NAME}-${sha256.slice(0, SHORT_HASH_LENGTH)}`;
  }
};

/** Uploads the image unless the site has it. Returns the image. */
export const ensureImage = async ({ api, file, sha256 }) => {
  const [present] = await api.list('/v1/images', { sha256, state: 'available' });
  if (present) return { ...present, note: 'was there' };
  const name = await freeImageName(api, sha256);
  const { id } = await api.call('POST', '/v1/images', { body: { name, sha256, isPublic: true } });
  const contentLength = statSync(file).size;
  const image = await api.call('PUT', `/v1/images/${id}/content`, { content: createReadStream(file), contentLength });
  return { ...image, note: `${(contentLength / MIB).toFixed(1)} MiB uploaded, checksum verified` };
};

export const ensureFlavor = async ({ api }) => {
  const [present] = await api.list('/v1/flavors', { name: FLAVOR.name });
  return present ?? api.call('POST', '/v1/flavors', { body: FLAVOR });
};

/** Deletes a VM and waits; one that is gone already is no error. */
export const deleteVm = async ({ api, vmId, report, callSignal }) => {
  try {
    const { operation } = await api.call('DELETE', `/v1/vms/${vmId}`, { callSignal });
    await api.waitForOperation(operation, { report, callSignal });
  } catch (error) {
    if (error.code !== 'not_found') throw error;
  }
};

/** A VM of that name is what an interrupted run left behind. */
export const removeOldVm = async ({ api, report }) => {
  const found = await api.list('/v1/vms', { name: VM_NAME });
  const old = found.filter((vm) => vm.state !== 'deleted');
  for (const vm of old) {
    if (vm.operationId) {
      const operation = await api.call('GET', `/v1/operations/${vm.operationId}`);
      await api.waitForOperation(operation, { report }).catch(() => {}); // however it ended: it is over
    }
    await deleteVm({ api, vmId: vm.id, report });
  }
  return old.length;
};

export const createVm = async ({ api, flavor, image, onAccepted, report }) => {
  const body = { name: VM_NAME, flavorId: flavor.id, imageId: image.id };
  const { operation, resourceId } = await api.call('POST', '/v1/vms', { body });
  onAccepted(resourceId);
  await api.waitForOperation(operation, { report });
  return api.call('GET', `/v1/vms/${resourceId}`);
};

/**
 * Until the guest itself says that it is up: its own line on the serial console, and its guest agent answers. Returns
 * { vm, consoleText }.
 */
export const waitForGuest = ({ api, vmId, report, signal }) => {
  let text = '';
  return poll(
    {
      timeoutMs: GUEST_UP_TIMEOUT_MS,
      signal,
      failure: async () => `the guest did not say that it is up. Its console so far:\n${text || '(nothing)'}`,
    },
    async () => {
      text = (await api.call('GET', `/v1/vms/${vmId}/console?offset=0`)).text;
      const vm = await api.call('GET', `/v1/vms/${vmId}`);
      if (vm.state !== 'running') throw new Error(`the VM is ${vm.state}: ${vm.failure?.message ?? 'no reason known'}`);
      const isUp = GUEST_UP_PATTERN.test(text);
      report(isUp ? 'the console says up; waiting for the guest agent' : (text.trim().split('\n').at(-1) ?? ''));
      return isUp && vm.guest.agent === 'responding' ? { vm, consoleText: text } : null;
    },
  );
};
