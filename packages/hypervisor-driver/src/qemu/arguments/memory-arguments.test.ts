import { GIB, MIB, VmHardware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec, type VmPlacement } from '../../driver.js';
import { memoryArguments } from './memory-arguments.js';

const argumentsOf = (memory: Partial<VmHardware['memory']>, changes: Partial<LaunchSpec> = {}): string =>
  memoryArguments({
    vmId: '01900000-0000-7000-8000-000000000001',
    name: 'web-1',
    runDir: '/run/kvorum/1',
    epoch: 1,
    vcpuCount: 4,
    memoryBytes: 2 * GIB,
    accelerator: 'kvm',
    machineType: 'pc-q35-10.0',
    diskPath: '/disks/a',
    firmware: { folder: '/firmware/a', generationId: '01900000-0000-4000-8000-00000000000a' },
    placement: ANYWHERE,
    isPaused: false,
    ...changes,
    hardware: VmHardware.parse({ memory }),
  }).join(' ');

const onNodes = (memoryNodes: number[], memoryDistances: number[][] = []): VmPlacement => ({
  ...ANYWHERE,
  memoryNodes,
  memoryDistances,
});

describe('the memory of a VM on the command line', () => {
  it('is its size and nothing else where nothing is asked for', () => {
    expect(argumentsOf({})).toBe('-m size=2048M');
  });

  it.each<[string, Parameters<typeof argumentsOf>, string[]]>([
    [
      'taken at the start',
      [{ isPreallocated: true }],
      [
        '-m size=2048M',
        '-object memory-backend-ram,id=memory-0,size=2048M,prealloc=on,prealloc-threads=4',
        '-machine memory-backend=memory-0',
      ],
    ],
    [
      'locked',
      [{ isLocked: true }, { vcpuCount: 1 }],
      [
        '-m size=2048M -overcommit mem-lock=on-fault',
        '-object memory-backend-ram,id=memory-0,size=2048M,prealloc=on,prealloc-threads=1',
        '-machine memory-backend=memory-0',
      ],
    ],
    [
      'in huge pages of 2 MiB',
      [{ hugePageBytes: 2 * MIB }],
      [
        '-m size=2048M',
        '-object memory-backend-memfd,id=memory-0,size=2048M,share=off,hugetlb=on,hugetlbsize=2M,prealloc=on,prealloc-threads=4',
        '-machine memory-backend=memory-0',
      ],
    ],
    [
      'in huge pages of 1 GiB, two nodes each on one of the host, as far apart as those',
      [
        { hugePageBytes: GIB, numaNodeCount: 2 },
        {
          placement: onNodes(
            [1, 0],
            [
              [10, 32],
              [32, 10],
            ],
          ),
        },
      ],
      [
        '-m size=2048M',
        '-object memory-backend-memfd,id=memory-0,size=1024M,share=off,hugetlb=on,hugetlbsize=1G,prealloc=on,prealloc-threads=4,host-nodes=1,policy=bind',
        '-object memory-backend-memfd,id=memory-1,size=1024M,share=off,hugetlb=on,hugetlbsize=1G,prealloc=on,prealloc-threads=4,host-nodes=0,policy=bind',
        '-numa node,nodeid=0,cpus=0-1,memdev=memory-0',
        '-numa node,nodeid=1,cpus=2-3,memdev=memory-1',
        '-numa dist,src=0,dst=1,val=32',
      ],
    ],
    [
      'split as asked, on one node of the host: its parts are never told to be the same place',
      [
        {
          numaNodeCount: 2,
          numaNodes: [
            { vcpuCount: 3, memoryBytes: 512 * MIB },
            { vcpuCount: 1, memoryBytes: 1536 * MIB },
          ],
        },
        {
          placement: onNodes(
            [0, 0],
            [
              [10, 10],
              [10, 10],
            ],
          ),
        },
      ],
      [
        '-m size=2048M',
        '-object memory-backend-ram,id=memory-0,size=512M,host-nodes=0,policy=bind',
        '-object memory-backend-ram,id=memory-1,size=1536M,host-nodes=0,policy=bind',
        '-numa node,nodeid=0,cpus=0-2,memdev=memory-0',
        '-numa node,nodeid=1,cpus=3,memdev=memory-1',
        '-numa dist,src=0,dst=1,val=11',
      ],
    ],
    [
      'bound without a NUMA node in the guest',
      [{}, { placement: onNodes([3]) }],
      [
        '-m size=2048M',
        '-object memory-backend-ram,id=memory-0,size=2048M,host-nodes=3,policy=bind',
        '-machine memory-backend=memory-0',
      ],
    ],
  ])('%s', (_what, [memory, changes], lines) => {
    expect(argumentsOf(memory, changes)).toBe(lines.join(' '));
  });
});
