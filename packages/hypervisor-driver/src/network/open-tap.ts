import { type FileHandle, open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { errnoName, lastErrno, libc } from '../sys/libc.js';
import { ERRNO, LINUX_NUMBERS, LINUX_STRUCTS } from '../sys/linux-abi.js';

/** Of a VM's network card on a network: the interface of the host at its other end. */
export interface TapOfCard {
  readonly interfaceName: string;
  /** Largest packet; the guest is told. */
  readonly mtu: number;
}

const TUN_DEVICE = '/dev/net/tun';

/**
 * Takes hold of a tap that is there already (Documentation/networking/tuntap.rst), with CAP_NET_ADMIN. Whoever has the
 * descriptor reads and writes its frames and needs no right: QEMU is given it, and can open no other.
 *
 * Throws `unavailable` for one that is not there (yet), `host_fault` otherwise.
 */
export async function openTap({ interfaceName }: TapOfCard): Promise<FileHandle> {
  // TUNSETIFF would make one that is not there, in no bridge and of nobody.
  if (libc().ifNametoindex(interfaceName) === 0) {
    throw new DomainError('unavailable', `the interface ${interfaceName} of a network card is not on this host yet`);
  }
  const tun = await open(TUN_DEVICE, 'r+').catch((cause: NodeJS.ErrnoException) => {
    throw new DomainError('host_fault', `${TUN_DEVICE} cannot be opened: ${cause.code}; load the module tun`, {
      cause,
    });
  });
  // SAFE: ifreq is as large as the kernel's (header-check), and lives for the length of the call, which does not sleep.
  const request = Buffer.alloc(LINUX_STRUCTS.ifreq.sizeBytes);
  request.write(interfaceName, LINUX_STRUCTS.ifreq.offsets.ifr_name, LINUX_NUMBERS.IFNAMSIZ - 1, 'latin1');
  const { IFF_TAP, IFF_NO_PI, IFF_VNET_HDR } = LINUX_NUMBERS;
  request.writeInt16LE(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, LINUX_STRUCTS.ifreq.offsets.ifr_flags);
  if (libc().ioctlBuffer(tun.fd, LINUX_NUMBERS.TUNSETIFF, request) === 0) return tun;
  const errno = lastErrno();
  await tun.close();
  const why = errno === ERRNO.EBUSY ? 'another process holds it' : errnoName(errno);
  throw new DomainError('host_fault', `the interface ${interfaceName} cannot be taken: ${why}`);
}

/** Opens all or none. Whoever calls closes them. */
export async function openTaps(taps: readonly TapOfCard[]): Promise<FileHandle[]> {
  const opened: FileHandle[] = [];
  try {
    for (const tap of taps) opened.push(await openTap(tap));
    return opened;
  } catch (thrown) {
    for (const tap of opened) await tap.close();
    throw thrown;
  }
}
