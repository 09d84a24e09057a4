import type { StructLayout } from './kvm-abi.js';

/**
 * Numbers and layouts of Linux system calls other than KVM, for x86-64. Spelled as in C and compared with the headers
 * by test/header-check.
 */
export const LINUX_NUMBERS = {
  SYS_pidfd_send_signal: 424, // asm/unistd_64.h: __NR_pidfd_send_signal, Linux 5.1
  SYS_pidfd_open: 434, // asm/unistd_64.h: __NR_pidfd_open, Linux 5.3
  POLLIN: 1, // asm-generic/poll.h
  SIGKILL: 9, // asm-generic/signal.h
  RLIMIT_MEMLOCK: 8, // asm-generic/resource.h
  PROT_READ: 1, // asm-generic/mman-common.h
  PROT_WRITE: 2, // asm-generic/mman-common.h
  MAP_SHARED: 1, // linux/mman.h
  MAP_ANONYMOUS: 0x20, // asm-generic/mman-common.h
  TUNSETIFF: 0x400454ca, // linux/if_tun.h: _IOW('T', 202, int)
  IFF_TAP: 2, // linux/if_tun.h
  IFF_NO_PI: 0x1000, // linux/if_tun.h
  IFF_VNET_HDR: 0x4000, // linux/if_tun.h
  IFNAMSIZ: 16, // linux/if.h
  SYS_socket: 41, // asm/unistd_64.h: __NR_socket
  AF_PACKET: 17, // linux/socket.h, bits/socket.h
  SOCK_RAW: 3, // bits/socket_type.h
  SOCK_CLOEXEC: 0x80000, // bits/socket_type.h
  SIOCGIFHWADDR: 0x8927, // linux/sockios.h
  ETH_P_IP: 0x0800, // linux/if_ether.h
  ETH_P_ARP: 0x0806, // linux/if_ether.h
  ARPHRD_ETHER: 1, // linux/if_arp.h
  ARPOP_REQUEST: 1, // linux/if_arp.h
  FALLOC_FL_KEEP_SIZE: 1, // linux/falloc.h
  FALLOC_FL_PUNCH_HOLE: 2, // linux/falloc.h
} as const;

/** asm-generic/errno-base.h and errno.h: the codes this package decides by; every other one is only named. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  E2BIG: 7,
  EBADF: 9,
  EACCES: 13,
  EBUSY: 16,
  EINVAL: 22,
  ENOTTY: 25,
  EOPNOTSUPP: 95,
} as const;

export const LINUX_STRUCTS = {
  rlimit64: { sizeBytes: 16, offsets: { rlim_cur: 0, rlim_max: 8 } }, // linux/resource.h
  ifreq: { sizeBytes: 40, offsets: { ifr_name: 0, ifr_flags: 16, ifr_hwaddr: 16 } }, // linux/if.h
  sockaddr: { sizeBytes: 16, offsets: { sa_family: 0, sa_data: 2 } }, // bits/socket.h
  sockaddr_ll: { sizeBytes: 20, offsets: { sll_family: 0, sll_protocol: 2, sll_ifindex: 4 } }, // linux/if_packet.h
  pollfd: { sizeBytes: 8, offsets: { fd: 0, events: 4, revents: 6 } }, // asm-generic/poll.h
} as const satisfies Record<string, StructLayout>;

/**
 * Bytes of a CPU mask passed to sched_setaffinity(2): 8192 CPUs, CONFIG_NR_CPUS's ceiling on x86 (arch/x86/Kconfig).
 * sched_getaffinity(2) refuses a mask smaller than the kernel's own with EINVAL, so it is as large as it can need be.
 */
export const CPU_MASK_BYTES = 1024;
