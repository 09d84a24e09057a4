import { KIB, MIB } from '@kvorum/schema';
import { expect, it } from 'vitest';
import { memoryUseOf } from './memory-use.js';

/** As the kernel writes it, cut to the fields that count. */
const SMAPS = `55d5c0000000-55d5c0a00000 r-xp 00000000 08:01 131 /usr/bin/qemu-system-x86_64
Size:              10240 kB
Rss:                8000 kB
Pss:                4000 kB
Private_Hugetlb:       0 kB
7f0000000000-7f0004000000 rw-p 00000000 00:00 0
Size:              65536 kB
Rss:               30000 kB
Pss:               30000 kB
Shared_Hugetlb:        0 kB
7f0005000000-7f0005100000 rw-p 00000000 00:00 0
Size:               1024 kB
Pss:                 500 kB
7f0010000000-7f0014000000 rw-s 00000000 00:0f 77 /memfd:memory-0 (deleted)
Size:              65536 kB
Pss:                   0 kB
Private_Hugetlb:   65536 kB
`;
const STATUS = 'Name:\tqemu-system-x86\nVmPTE:\t     600 kB\nThreads:\t4\n';

it("tells the guest's memory from what the hypervisor takes, page tables and its part of shared pages included", () => {
  expect(memoryUseOf(SMAPS, STATUS, [64 * MIB])).toEqual({
    guestBytes: (30000 + 65536) * KIB,
    overheadBytes: (4000 + 500 + 600) * KIB,
  });
});

it('says nothing of a process that has ended: a zombie has no memory', () => {
  expect(memoryUseOf('', 'Name:\tqemu-system-x86\nState:\tZ (zombie)\n', [64 * MIB])).toBeNull();
});
