import { rm } from 'node:fs/promises';
import type { DebianGuest } from './debian-site.js';

/**
 * The host stops in the midst of whatever it does: its agent, QEMU, tools and services are killed, its disk keeps what was flushed, and its
 * run folder, which lies in memory on a real host, is empty. Interfaces and rules stay, which a real host would lose as well.
 */
export async function losePower({ place, disk, host }: DebianGuest): Promise<void> {
  await disk.losePower(() => place.endProcesses());
  await rm(host.runDir, { recursive: true, force: true });
}
