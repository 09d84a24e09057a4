/** Every bound of the contract with its name. A bound that is refused is refused with this number in the message. */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

/** RFC 1035 section 2.3.4: a label is at most 63 octets; a VM's name becomes its host name. */
export const NAME_LENGTH_MAX = 63;
/** 288: KVM_MAX_VCPUS on the smallest kernel we support without x2APIC emulation. */
export const VCPU_COUNT_MAX = 288;
export const MEMORY_BYTES_MIN = 32 * MIB;
export const MEMORY_BYTES_MAX = 16 * TIB;
/** Machines of today have up to 8 memory controllers that a guest could mirror; each node costs QEMU arguments. */
export const NUMA_NODE_COUNT_MAX = 8;
/**
 * Shared vCPUs sold per host CPU: servers run at a quarter of their CPUs on average, and a busy vCPU still gets its share. A
 * dedicated CPU takes as many away.
 */
export const VCPU_OVERCOMMIT_RATIO = 4;
export const BALLOON_SHARES_DEFAULT = 1000;
/** Only their order counts; this many leave room between any two. */
export const BALLOON_SHARES_MAX = 1_000_000;
export const DISK_BYTES_MIN = MIB;
export const DISK_BYTES_MAX = 64 * TIB;
/**
 * Sockets that a VM's mainboard has for data disks and network cards (q35 takes a device into a PCIe root port alone, and a
 * root port cannot be added while it runs). Two of the 32 places of its first bus, eight ports each.
 */
export const HOTPLUG_SLOT_COUNT = 16;
export const CDROM_COUNT_MAX = 4;
/** More than any device of today does; what QEMU takes is 10^15 (THROTTLE_VALUE_MAX, include/qemu/throttle.h). */
export const DISK_IOPS_MAX = 100_000_000;
export const DISK_BYTES_PER_SECOND_MAX = TIB;
export const IMAGE_BYTES_MAX = 2 * TIB;
/** With as many parts of the largest size, an image of the largest size fits. */
export const IMAGE_PART_COUNT_MAX = 10_000;
export const IMAGE_PART_BYTES_MAX = 256 * MIB;
export const IMAGE_URL_LENGTH_MAX = 2048;
/** What fits a seed disk and a request beside everything else; clouds take 16 to 64 KiB. */
export const USER_DATA_BYTES_MAX = 64 * KIB;
export const SSH_KEY_COUNT_MAX = 64;
/** An RSA key of 16384 bits, the largest that OpenSSH takes, has 2,800 characters; the rest is for its comment. */
export const SSH_KEY_LENGTH_MAX = 4096;
export const PORT_BITS_PER_SECOND_MIN = 1_000_000;
/** nftables counts a limit in 64 bits of nanoseconds, and takes no more than 1.8e10 bytes per second (nft_limit_init, net/netfilter/nft_limit.c). */
export const PORT_BITS_PER_SECOND_MAX = 100_000_000_000;
export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 500;
export const LABEL_COUNT_MAX = 32;
export const LABEL_VALUE_LENGTH_MAX = 255;
export const IDEMPOTENCY_KEY_LENGTH_MAX = 128;
/** A guest that ignores the power button is stopped hard after this at the latest. */
export const GRACE_MS_MAX = 600_000;
export const GRACE_MS_DEFAULT = 60_000;
/** One answer of a console read; larger logs are paged. */
export const CONSOLE_READ_BYTES_MAX = 256 * KIB;
/** A PNG of a screen of 2048 x 2048 pixels that does not compress at all. */
export const SCREENSHOT_BYTES_MAX = 16 * MIB;
/** What a new session is shown of what was printed before. */
export const CONSOLE_BACKLOG_BYTES_MAX = 64 * KIB;
export const CONSOLE_BACKLOG_BYTES_DEFAULT = 4 * KIB;
/** A program in a guest: its arguments with program and NULs, as a bound of ours; Linux itself takes 2 MiB (execve(2)). */
export const GUEST_ARGUMENT_COUNT_MAX = 128;
export const GUEST_ARGUMENT_BYTES_MAX = 16 * KIB;
export const GUEST_INPUT_BYTES_MAX = 32 * KIB;
export const GUEST_COMMAND_MS_MAX = 300_000;
export const GUEST_COMMAND_MS_DEFAULT = 30_000;
/** Halted writes look like a hanging guest to its users: long enough to start a snapshot, no longer. */
export const FREEZE_MS_MAX = 60_000;
export const FREEZE_MS_MIN = 1_000;
export const FREEZE_MS_DEFAULT = 10_000;
export const QUOTA_COUNT_MAX = 1_000_000;
/** JSON numbers are exact up to 2^53 - 1 (RFC 8259 section 6); quotas in bytes stop there. */
export const QUOTA_BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** RFC 791 wants 68 and nothing works below 576; 1280 is what IPv6 will need (RFC 8200 section 5). */
export const MTU_MIN = 1280;
/** What switches call jumbo frames. */
export const MTU_MAX = 9216;
export const MTU_DEFAULT = 1500;
/** RFC 7348: outer Ethernet 14, IPv4 20, UDP 8 and VXLAN 8 bytes. */
export const VXLAN_OVERHEAD_BYTES = 50;
/** IEEE 802.1Q: 0 and 4095 are reserved. */
export const VLAN_ID_MAX = 4094;
/** 65,533 addresses for ports: each host that has the network keeps a DHCP entry for each of its own. */
export const CIDR_LENGTH_MIN = 16;
/** Five addresses for ports; below that, a network is hardly one. */
export const CIDR_LENGTH_MAX = 29;
export const NETWORKS_PER_PROJECT_MAX = 100;
export const SECURITY_GROUPS_PER_PROJECT_MAX = 200;
export const SECURITY_GROUPS_PER_PORT_MAX = 8;
/** Addresses of the world are few: as many as OpenStack gives a project by itself. */
export const FLOATING_ADDRESSES_PER_PROJECT_MAX = 50;
/** As many as a /16 has: the search for a free one looks at each at the worst. */
export const FLOATING_RANGE_ADDRESS_COUNT_MAX = 65_536;
/** Each process keeps the rules of all groups in memory. */
export const VM_GROUPS_PER_PROJECT_MAX = 200;
/** Counted anew for each decision about one of them, under the lock of their group. */
export const VMS_PER_GROUP_MAX = 1000;
/** A request of as many rules stays below the largest body. */
export const RULES_PER_SECURITY_GROUP_MAX = 250;
/** Each takes the memory and the written disk of a VM from its host, in nobody's quota. */
export const VM_TEMPLATES_PER_PROJECT_MAX = 100;
/** Of volumes on storage pools; the trash counts. */
export const VOLUMES_PER_PROJECT_MAX = 1000;
/** A chain of files is opened with its volume: the driver refuses one of more than 32 (docs/storage.md). */
export const SNAPSHOTS_PER_VOLUME_MAX = 31;
/** All that a VM can have, and the driver's own bound. */
export const VOLUMES_PER_SNAPSHOT_MAX = 32;
/** More is a promise that nobody could keep. */
export const OVERCOMMIT_RATIO_MAX = 20;
export const OVERCOMMIT_RATIO_DEFAULT = 2;
export const TRASH_KEEP_DAYS_MAX = 365;
export const TRASH_KEEP_DAYS_DEFAULT = 7;
export const DESCRIPTION_LENGTH_MAX = 255;
