import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { RUN_ROOT } from '../config.js';

/** Private to the agent: keys, disks of tenants and monitor sockets lie below. */
const FOLDER_MODE = 0o700;
/** On the way to what a VM's own user has to open: it may pass through and sees no names. */
const PASSAGE_MODE = 0o711;
/** LaunchSpec.runDir takes 60 bytes; "/" and a VM's UUID take 37 of them. */
export const RUN_DIR_BYTES_MAX = 60 - 37;

/**
 * Where everything of this host lies. `stateDir` is durable, `runDir` may be on tmpfs: it holds only what belongs to
 * running processes, and their console logs.
 */
export class StateFolders {
  readonly stateDir: string;
  readonly runDir: string;

  constructor(stateDir: string, runDir: string) {
    if (Buffer.byteLength(runDir) > RUN_DIR_BYTES_MAX) {
      throw new DomainError('invalid_request', `the run folder's path may be ${RUN_DIR_BYTES_MAX} bytes long at most`, {
        details: { fields: [{ field: 'runDir', message: `${Buffer.byteLength(runDir)} bytes` }] },
      });
    }
    this.stateDir = stateDir;
    this.runDir = runDir;
  }

  get identity(): string {
    return join(this.stateDir, 'identity');
  }
  get vms(): string {
    return join(this.stateDir, 'vms');
  }
  /** Guests whose file systems are frozen. */
  get freezes(): string {
    return join(this.stateDir, 'freezes');
  }
  /** Which networks the host is to have, and files of their DHCP and DNS. */
  get networks(): string {
    return join(this.stateDir, 'networks');
  }
  get images(): string {
    return join(this.stateDir, 'images');
  }
  get disks(): string {
    return join(this.stateDir, 'disks');
  }

  /** UEFI variables and TPM states. */
  get firmware(): string {
    return join(this.stateDir, 'firmware');
  }

  /** Disks that are on their way to the control plane, each for as long as that takes. */
  get publishing(): string {
    return join(this.stateDir, 'publishing');
  }

  /** Memory, state and disk that VMs of this host fork from. */
  get templates(): string {
    return join(this.stateDir, 'templates');
  }

  /** Data that belongs to nobody. */
  get quarantine(): string {
    return join(this.stateDir, 'quarantine');
  }

  recordOf(vmId: string): string {
    return join(this.vms, `${vmId}.json`);
  }
  runDirOf(vmId: string): string {
    return join(this.runDir, vmId);
  }
  disksOf(vmId: string): string {
    return join(this.disks, vmId);
  }
  diskOf(vmId: string, volumeId: string): string {
    return join(this.disksOf(vmId), `${volumeId}.qcow2`);
  }
  /** Beside its disks, and removed with them. */
  seedOf(vmId: string): string {
    return join(this.disksOf(vmId), 'seed.iso');
  }
  firmwareOf(vmId: string): string {
    return join(this.firmware, vmId);
  }
  imageOf(sha256: string): string {
    return join(this.images, `${sha256}.qcow2`);
  }

  templateOf(templateId: string): string {
    return join(this.templates, templateId);
  }

  async create(): Promise<void> {
    for (const folder of [
      this.stateDir,
      this.identity,
      this.vms,
      this.images,
      this.disks,
      this.firmware,
      this.templates,
      this.quarantine,
      this.publishing,
      this.runDir,
    ]) {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    }
    const passages = [this.stateDir, this.images, this.disks, this.firmware, this.templates, this.runDir];
    if (dirname(this.runDir) === RUN_ROOT) passages.push(RUN_ROOT);
    for (const folder of passages) await chmod(folder, PASSAGE_MODE);
  }

  /** Where what a VM has on this host alone lies. Its process may have its working folder on a pool, and come by here. */
  async createDisksOf(vmId: string): Promise<void> {
    await mkdir(this.disksOf(vmId), { recursive: true, mode: FOLDER_MODE });
    await chmod(this.disksOf(vmId), PASSAGE_MODE);
  }
}
