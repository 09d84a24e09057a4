import { readFileSync, statSync } from 'node:fs';
import type { CreateVmBody } from '@kvorum/client';
import type { Command } from 'commander';
import { collectText, given } from '../../option-values.js';
import { usageError } from '../../usage-error.js';

export interface CloudInitOptions {
  readonly hostname?: string;
  readonly sshKey?: readonly string[];
  readonly userData?: string;
  readonly cloudInit?: boolean;
}

/** A file of keys or user data is some KiB; more than this was not meant. */
const FILE_BYTES_MAX = 1024 * 1024;

export const addCloudInitOptions = (command: Command): Command =>
  command
    .option('--ssh-key <key>', 'a public key or a file of them; may be given several times', collectText)
    .option('--user-data <file>', 'what cloud-init does in the guest: #cloud-config, a script, …; kept encrypted')
    .option('--hostname <name>', "the guest's; default: the VM's name");

/** For verbs that can give a VM a seed disk, or take it away. */
export const addSeedOptions = (command: Command, off: string | null): Command => {
  command.option('--cloud-init', 'a seed disk also without any of these three');
  return off === null ? command : command.option('--no-cloud-init', off);
};

/** Undefined: nothing is said of it; null: none of it any more. */
export function cloudInitOf(options: CloudInitOptions): CreateVmBody['cloudInit'] | null {
  const { hostname, sshKey, userData, cloudInit } = options;
  const parts = given({
    hostname,
    sshAuthorizedKeys: sshKey?.flatMap(keysOf),
    userData: userData === undefined ? undefined : readText('--user-data', userData),
  });
  const isNothing = Object.keys(parts).length === 0;
  if (cloudInit === false && !isNothing) {
    throw usageError('--no-cloud-init takes away what the other options give', 'Leave one of them out.');
  }
  if (cloudInit === false) return null;
  return isNothing && cloudInit !== true ? undefined : parts;
}

function keysOf(keyOrFile: string): string[] {
  if (keyOrFile.includes(' ')) return [keyOrFile.trim()];
  const text = readText('--ssh-key', keyOrFile);
  if (text.includes('PRIVATE KEY')) {
    throw usageError(`${keyOrFile} is a private key, which nobody else may have`, `Give ${keyOrFile}.pub.`);
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function readText(option: string, file: string): string {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) {
      throw usageError(`${option}: ${file} is larger than ${FILE_BYTES_MAX} bytes`, 'Give the file that was meant.');
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error))
      throw error;
    throw usageError(`${option}: ${file} cannot be read (${error.code})`, 'Give a file that is there and can be read.');
  }
}
