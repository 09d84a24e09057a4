import { readFile, stat } from 'node:fs/promises';
import { DomainError, type HostFacts, type HostHardware } from '@kvorum/schema';
import { type KvmFacts, proveKvm } from '../kvm/prove-kvm.js';
import { runTool } from '../process/run-tool.js';
import { deriveFindings } from './derive-findings.js';
import { type CpuInfo, parseCpuinfo } from './parse-cpuinfo.js';
import { parseMachineType } from './parse-machine-types.js';
import { parseMemoryTotal } from './parse-meminfo.js';
import { parseQemuVersion } from './parse-qemu-version.js';
import { readHardware } from './read-hardware.js';
import { readNumaNodes } from './read-numa-nodes.js';
import { readFact } from './sysfs.js';

type QemuFacts = Pick<HostFacts, 'qemuVersion' | 'qemuMachineType'>;

const VERSION_TIMEOUT_MS = 10_000;

/**
 * Reads the facts of this host. What needs a process of its own (QEMU's version, the KVM proof) is asked once and again
 * only when what it depends on has changed, so that an agent may observe as often as it reports.
 */
export class HostObserver {
  readonly #qemuPath: string;
  #qemu: { key: string; value: QemuFacts } | undefined;
  #hardware: { key: string; value: HostHardware } | undefined;
  #proof: { key: string; value: KvmFacts } | undefined;

  constructor(qemuPath: string) {
    this.#qemuPath = qemuPath;
  }

  async observe(): Promise<HostFacts> {
    try {
      return await this.#observe();
    } catch (thrown) {
      if (thrown instanceof DomainError) throw thrown;
      throw new DomainError('host_fault', `this host's facts cannot be read: ${(thrown as Error).message}`, {
        cause: thrown,
      });
    }
  }

  async #observe(): Promise<HostFacts> {
    const [cpuinfo, meminfo, kernel, numaNodes, qemu] = await Promise.all([
      readFile('/proc/cpuinfo', 'utf8').then(parseCpuinfo),
      readFile('/proc/meminfo', 'utf8').then(parseMemoryTotal),
      readFile('/proc/sys/kernel/osrelease', 'utf8'),
      readNumaNodes(),
      this.#readQemu(),
    ]);
    const facts = {
      kernel: kernel.trim(),
      ...qemu,
      cpuVendor: cpuinfo.vendor,
      cpuModel: cpuinfo.model,
      cpuFlags: [...cpuinfo.flags],
      kvm: await this.#readProof(cpuinfo.flags),
      hostCpuCount: cpuinfo.cpuCount,
      numaNodes,
      memoryBytes: meminfo,
      hardware: await this.#readHardware(cpuinfo),
    };
    return { ...facts, findings: deriveFindings(facts) };
  }

  /** Some thousand small files on a large host, and none of them changes but with its CPUs, modules or microcode. */
  async #readHardware(cpuinfo: CpuInfo): Promise<HostHardware> {
    const [online, modules] = await Promise.all([
      readFact('/sys/devices/system/cpu/online'),
      Promise.all(['kvm_intel', 'kvm_amd'].map((name) => fileKey(`/sys/module/${name}`))),
    ]);
    const key = JSON.stringify([online, modules, cpuinfo]);
    if (this.#hardware?.key !== key) this.#hardware = { key, value: await readHardware(cpuinfo) };
    return this.#hardware.value;
  }

  async #readQemu(): Promise<QemuFacts> {
    const key = await fileKey(this.#qemuPath);
    if (key === null) return { qemuVersion: null, qemuMachineType: null };
    if (this.#qemu?.key !== key) {
      const [version, machines] = await Promise.all([
        runTool(this.#qemuPath, ['--version'], VERSION_TIMEOUT_MS),
        runTool(this.#qemuPath, ['-machine', 'help'], VERSION_TIMEOUT_MS),
      ]);
      this.#qemu = {
        key,
        value: { qemuVersion: parseQemuVersion(version.stdout), qemuMachineType: parseMachineType(machines.stdout) },
      };
    }
    return this.#qemu.value;
  }

  async #readProof(cpuFlags: readonly string[]): Promise<KvmFacts> {
    const key = `${cpuFlags.join(' ')} ${await fileKey('/dev/kvm')}`;
    if (this.#proof?.key !== key) this.#proof = { key, value: await proveKvm(cpuFlags) };
    return this.#proof.value;
  }
}

/** Changes when the file is replaced, its rights change, or it comes or goes. */
async function fileKey(path: string): Promise<string | null> {
  try {
    const { dev, ino, size, mode, ctimeMs } = await stat(path);
    return [dev, ino, size, mode, ctimeMs].join(' ');
  } catch {
    return null;
  }
}
