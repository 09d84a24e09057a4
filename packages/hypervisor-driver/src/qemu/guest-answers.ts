import { isIP } from 'node:net';
import {
  GUEST_ADDRESS_COUNT_MAX,
  GUEST_INTERFACE_COUNT_MAX,
  type GuestAddress,
  type GuestCommandStatus,
  type GuestInterface,
} from '../guest-port.js';
import { fieldsOf } from './answer-fields.js';

/**
 * Reads answers of the guest agent (qga/qapi-schema.json), which the guest may forge, field by field. Null: not the shape that is
 * documented. Lists are cut off at their bound; an entry that makes no sense is left out, as guests do report odd ones.
 */

/** IFNAMSIZ is 16 on Linux (linux/if.h); Windows gives its interfaces longer names. */
const NAME_LENGTH_MAX = 32;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const LOOPBACK = /^(127\.|::1$)/;
const IPV4_BITS = 32;
const IPV6_BITS = 128;
/** A guest's list is looked through this far: docker hosts have hundreds of interfaces. */
const ENTRIES_LOOKED_AT_MAX = 1024;

export function readInterfaces(answer: unknown): GuestInterface[] | null {
  if (!Array.isArray(answer)) return null;
  const found: GuestInterface[] = [];
  let addressCount = 0;
  for (const entry of answer.slice(0, ENTRIES_LOOKED_AT_MAX)) {
    const read = readInterface(entry, GUEST_ADDRESS_COUNT_MAX - addressCount);
    if (read === null) continue;
    found.push(read);
    addressCount += read.addresses.length;
    if (found.length === GUEST_INTERFACE_COUNT_MAX) break;
  }
  return found;
}

function readInterface(entry: unknown, addressCountMax: number): GuestInterface | null {
  const { name, 'hardware-address': mac, 'ip-addresses': listed } = fieldsOf(entry);
  if (typeof name !== 'string') return null;
  const cleanName = name
    .slice(0, NAME_LENGTH_MAX)
    .replace(/[^\x20-\x7e]/g, '?')
    .trim();
  const all = Array.isArray(listed) ? listed.slice(0, ENTRIES_LOOKED_AT_MAX).flatMap(readAddress) : [];
  const addresses = all.filter(({ address }) => !LOOPBACK.test(address));
  // An interface of loopback addresses alone says nothing about how to reach the guest.
  if (cleanName === '' || (all.length > 0 && addresses.length === 0) || cleanName === 'lo') return null;
  const macText = typeof mac === 'string' ? mac.toLowerCase() : '';
  return {
    name: cleanName,
    macAddress: MAC.test(macText) ? macText : null,
    addresses: addresses.slice(0, addressCountMax),
  };
}

function readAddress(entry: unknown): GuestAddress[] {
  const { 'ip-address': address, prefix } = fieldsOf(entry);
  // A zone ("fe80::1%eth0") has meaning in the guest alone.
  if (typeof address !== 'string' || address.includes('%')) return [];
  const version = isIP(address);
  const bits = version === 4 ? IPV4_BITS : IPV6_BITS;
  if (version === 0 || !isCount(prefix) || prefix > bits) return [];
  return [{ address: address.toLowerCase(), prefixLength: prefix }];
}

export function readCommandId(answer: unknown): number | null {
  const { pid } = fieldsOf(answer);
  return isCount(pid) ? pid : null;
}

export function readCommandStatus(answer: unknown): GuestCommandStatus | null {
  const fields = fieldsOf(answer);
  const { exited, exitcode = null, signal = null } = fields;
  const stdout = readBase64(fields['out-data']);
  const stderr = readBase64(fields['err-data']);
  if (typeof exited !== 'boolean' || stdout === null || stderr === null) return null;
  if (!(exitcode === null || isExitCode(exitcode)) || !(signal === null || isCount(signal))) return null;
  return {
    hasEnded: exited,
    exitCode: exitcode,
    signal,
    stdout,
    stderr,
    isTruncated: fields['out-truncated'] === true || fields['err-truncated'] === true,
  };
}

function readBase64(text: unknown): Uint8Array | null {
  if (text === undefined) return new Uint8Array(0);
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Buffer.from(text, 'base64');
}

export const readCount = (answer: unknown): number | null => (isCount(answer) ? answer : null);

export const readFreezeStatus = (answer: unknown): boolean | null =>
  answer === 'frozen' || answer === 'thawed' ? answer === 'frozen' : null;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
/** Windows gives NTSTATUS values, which are negative as 32-bit numbers. */
const isExitCode = (value: unknown): value is number => Number.isSafeInteger(value);
