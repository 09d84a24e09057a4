import { type HostHardware, KIB, MIB } from '@kvorum/schema';
import { parseCpuList } from '../cpu/cpu-list.js';
import type { FactsFound, Finding } from './finding.js';

/** What the machine is made of: nothing here is wrong or right, so only few have a remedy. Pure. */
export const hardwareFindings = (facts: FactsFound): Finding[] => [
  microcodeFinding(facts),
  topologyFinding(facts.hardware.cores),
  cachesFinding(facts.hardware.caches),
  hugePagesFinding(facts),
  numaFinding(facts),
];

function microcodeFinding({ hardware }: FactsFound): Finding {
  return {
    name: 'microcode',
    value: hardware.microcode ?? 'not told',
    evidence: '/proc/cpuinfo microcode',
    remedy: null,
  };
}

function topologyFinding(cores: HostHardware['cores']): Finding {
  const socketCount = new Set(cores.map((core) => core.socketId)).size;
  const threadCount = cores.reduce((sum, core) => sum + parseCpuList(core.cpus).length, 0);
  const hasSmt = threadCount > cores.length;
  const counts = [counted(socketCount, 'socket'), counted(cores.length, 'core'), counted(threadCount, 'thread')].join(
    ', ',
  );
  return {
    name: 'cpu-topology',
    value: cores.length === 0 ? 'not told' : `${counts}; SMT ${hasSmt ? 'on' : 'off'}`,
    evidence: '/sys/devices/system/cpu/cpu*/topology/{physical_package_id,core_id,thread_siblings_list}',
    remedy: null,
  };
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
const CACHE_SUFFIX = { data: 'd', instruction: 'i', unified: '' } as const;

function cachesFinding(caches: HostHardware['caches']): Finding {
  const texts = caches.map(
    ({ level, type, sizeBytes, sharedBy }) =>
      `${sharedBy.length} x L${level}${CACHE_SUFFIX[type]} ${cacheSizeText(sizeBytes)}`,
  );
  return {
    name: 'caches',
    value: texts.join(', ') || 'not told',
    evidence: '/sys/devices/system/cpu/cpu*/cache/index*/{level,type,size,shared_cpu_list}',
    remedy: null,
  };
}

const cacheSizeText = (bytes: number): string => (bytes % MIB === 0 ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`);

function hugePagesFinding({ numaNodes }: FactsFound): Finding {
  const reserved = numaNodes.flatMap(({ id, hugePages }) =>
    Object.entries(hugePages)
      .filter(([, count]) => count > 0)
      .map(([sizeKib, count]) => `node ${id}: ${count} x ${sizeKib} KiB`),
  );
  return {
    name: 'huge-pages',
    value: reserved.join(', ') || 'none reserved',
    evidence: '/sys/devices/system/node/node*/hugepages/*/nr_hugepages',
    remedy: null,
  };
}

function numaFinding({ numaNodes, hardware }: FactsFound): Finding {
  const rows = hardware.numaDistances.map((row) => row.join(' ')).join(' / ');
  return {
    name: 'numa',
    value: `${counted(numaNodes.length, 'node')}${rows === '' ? '' : `; distances ${rows}`}`,
    evidence: '/sys/devices/system/node/node*/{cpulist,meminfo,distance}',
    remedy: null,
  };
}
