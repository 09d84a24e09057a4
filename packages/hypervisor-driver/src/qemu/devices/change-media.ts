import { DomainError } from '@kvorum/schema';
import { driveId, mediumNode, planMedium } from './device-plan.js';
import { type MachineChange, untilGuest } from './machine-change.js';

const MEDIUM_NODE = /^m-[0-9a-f]{28}$/;

/** Puts into each drive what is to lie in it. A guest that has locked its drive is asked, and has its time to let go. */
export async function changeMedia({ ask, machine, guestTimeoutMs }: MachineChange): Promise<void> {
  const { cdroms } = machine.hardware.devices;
  const drives = new Map((await ask('query-block')).map((drive) => [drive.device, drive]));
  for (const { name, imageSha256 } of cdroms) {
    const id = driveId(name);
    const drive = drives.get(id);
    if (drive === undefined) throw new DomainError('conflict_state', `the running VM has no drive ${name}`);
    const wanted = imageSha256 === null ? null : mediumNode(imageSha256);
    if (drive.node === wanted && !drive.isOpen) continue;
    await ask('blockdev-open-tray', { id }).catch((thrown: unknown) => {
      // QEMU has asked the guest by now (qapi/block.json, blockdev-open-tray).
      if (!(thrown instanceof DomainError) || !/locked/.test(thrown.message)) throw thrown;
    });
    await untilGuest(`the drive ${name}`, guestTimeoutMs, async () =>
      (await ask('query-block')).some(({ device, isOpen }) => device === id && isOpen),
    );
    if (drive.node !== null) await ask('blockdev-remove-medium', { id });
    if (wanted !== null && imageSha256 !== null) {
      const nodes = await ask('query-named-block-nodes');
      const path = machine.attachments?.media[imageSha256] ?? '';
      if (!nodes.some((node) => node.name === wanted)) await ask('blockdev-add', planMedium(imageSha256, path));
      await ask('blockdev-insert-medium', { id, 'node-name': wanted });
    }
    await ask('blockdev-close-tray', { id });
  }
  const inUse = new Set(cdroms.map(({ imageSha256 }) => (imageSha256 === null ? '' : mediumNode(imageSha256))));
  for (const { name } of await ask('query-named-block-nodes')) {
    if (MEDIUM_NODE.test(name) && !inUse.has(name)) await ask('blockdev-del', { 'node-name': name });
  }
}
