import { closeSync, writeSync } from 'node:fs';
import { DomainError } from '@kvorum/schema';
import { callFailure, libc } from '../sys/libc.js';
import { LINUX_NUMBERS, LINUX_STRUCTS } from '../sys/linux-abi.js';

const MAC_ADDRESS_BYTES = 6;
const BROADCAST = Buffer.alloc(MAC_ADDRESS_BYTES, 'ff', 'hex');
const NOBODY = Buffer.alloc(MAC_ADDRESS_BYTES);
const IPV4_BYTES = 4;
const BITS_PER_BYTE = 8;

/**
 * Tells the neighbours on an interface that IPv4 addresses are at its MAC address, with CAP_NET_RAW: an ARP request of each for itself
 * (RFC 5227 section 1.1), by which those that knew it elsewhere learn of it. Throws `host_fault`.
 */
export async function announceAddresses(interfaceName: string, addresses: readonly string[]): Promise<void> {
  const interfaceIndex = libc().ifNametoindex(interfaceName);
  if (interfaceIndex === 0) throw new DomainError('host_fault', `there is no interface ${interfaceName}`);
  const { SYS_socket, AF_PACKET, SOCK_RAW, SOCK_CLOEXEC } = LINUX_NUMBERS;
  // Of protocol 0 (packet(7)): nothing is ever received by it.
  const fd = libc().syscall(SYS_socket, AF_PACKET, SOCK_RAW + SOCK_CLOEXEC, 0, 0);
  if (fd < 0) throw callFailure('opening a packet socket');
  try {
    const macAddress = macAddressOf(fd, interfaceName);
    const place = Buffer.alloc(LINUX_STRUCTS.sockaddr_ll.sizeBytes);
    const { offsets } = LINUX_STRUCTS.sockaddr_ll;
    place.writeUInt16LE(AF_PACKET, offsets.sll_family);
    place.writeInt32LE(interfaceIndex, offsets.sll_ifindex);
    if (libc().bindSocket(fd, place, place.length) !== 0) throw callFailure(`sending on ${interfaceName}`);
    for (const address of addresses) writeSync(fd, announcementOf(macAddress, address));
  } catch (thrown) {
    if (thrown instanceof DomainError) throw thrown;
    const { code } = thrown as NodeJS.ErrnoException;
    throw new DomainError('host_fault', `floating addresses cannot be announced on ${interfaceName}: ${code}`, {
      cause: thrown,
    });
  } finally {
    closeSync(fd);
  }
}

function macAddressOf(fd: number, interfaceName: string): Buffer {
  const { sizeBytes, offsets } = LINUX_STRUCTS.ifreq;
  // SAFE: ifreq is as large as the kernel's (header-check), and lives for the length of the call.
  const request = Buffer.alloc(sizeBytes);
  request.write(interfaceName, offsets.ifr_name, LINUX_NUMBERS.IFNAMSIZ - 1, 'latin1');
  if (libc().ioctlBuffer(fd, LINUX_NUMBERS.SIOCGIFHWADDR, request) !== 0) throw callFailure(`asking ${interfaceName}`);
  const start = offsets.ifr_hwaddr + LINUX_STRUCTS.sockaddr.offsets.sa_data;
  return request.subarray(start, start + MAC_ADDRESS_BYTES);
}

/** Frame and ARP packet (RFC 826), for Ethernet and IPv4. */
export function announcementOf(macAddress: Buffer, address: string): Buffer {
  const { ETH_P_ARP, ETH_P_IP, ARPHRD_ETHER, ARPOP_REQUEST } = LINUX_NUMBERS;
  const ip = Buffer.from(address.split('.').map(Number));
  return Buffer.concat([
    ...[BROADCAST, macAddress, wordOf(ETH_P_ARP)],
    ...[wordOf(ARPHRD_ETHER), wordOf(ETH_P_IP), Buffer.of(MAC_ADDRESS_BYTES, IPV4_BYTES), wordOf(ARPOP_REQUEST)],
    ...[macAddress, ip, NOBODY, ip],
  ]);
}

/** As it goes over the wire: the higher byte first. */
const wordOf = (value: number): Buffer => Buffer.of(value >> BITS_PER_BYTE, value & 0xff);
