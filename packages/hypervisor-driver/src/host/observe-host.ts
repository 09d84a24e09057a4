import { readFile, stat } from 'node:fs/promises';
import { type Accelerator, DomainError, type HostFacts, type HostHardware } from '@kvorum/schema';
import { type CpuAnswer, queryCpuSupport } from '../cpu/query-cpu-support.js';
import { KVM_DEVICE } from '../kvm/probe-kvm.js';
import { type KvmFacts, proveKvm } from '../kvm/prove-kvm.js';
import { runTool } from '../process/run-tool.js';
import { cpuFindings } from './cpu-findings.js';
import { deriveFindings } from './derive-findings.js';
import { type CpuInfo, parseCpuinfo } from './parse-cpuinfo.js';
import { parseMachineTypes } from './parse-machine-types.js';
import { parseMemoryTotal } from './parse-meminfo.js';
import { parseQemuVersion } from './parse-qemu-version.js';
import { readHardware } from './read-hardware.js';
import { readNumaNodes } from './read-numa-nodes.js';
import { readFact } from './sysfs.js';

type QemuFacts = Pick<HostFacts, 'qemuVersion' | 'qemuMachineType' | 'machineTypes'>;

const VERSION_TIMEOUT_MS = 10_000;

/**
 * Reads the facts of this host. What needs a process of its own (QEMU's version and models, the KVM proof) is asked once and again
 * only when what it depends on has changed, so that an agent may observe as often as it reports.
 */
export class HostObserver {
  readonly #qemuPath: string;
  #recent: HostFacts | undefined;
  #qemu: { key: string; value: QemuFacts } | undefined;
  #hardware: { key: string; value: HostHardware } | undefined;
  #proof: { key: string; value: KvmFacts } | undefined;
  readonly #cpu = new Map<Accelerator, { key: string; answer: Promise<CpuAnswer> }>();

  constructor(qemuPath: string) {
    this.#qemuPath = qemuPath;
  }

  async observe(): Promise<HostFacts> {
    try {
      this.#recent = await this.#observe();
      return this.#recent;
    } catch (thrown) {
      if (thrown instanceof DomainError) throw thrown;
      throw new DomainError('host_fault', `this host's facts cannot be read: ${(thrown as Error).message}`, {
        cause: thrown,
      });
    }
  }

  /** The facts as they were when somebody last looked: for decisions that QEMU checks once more. */
  async recent(): Promise<HostFacts> {
    return this.#recent ?? this.observe();
  }

  async #observe(): Promise<HostFacts> {
    const [cpuinfo, meminfo, kernel, numaNodes, qemu] = await Promise.all([
      readFile('/proc/cpuinfo', 'utf8').then(parseCpuinfo),
      readFile('/proc/meminfo', 'utf8').then(parseMemoryTotal),
      readFile('/proc/sys/kernel/osrelease', 'utf8'),
      readNumaNodes(),
      this.#readQemu(),
    ]);
    const kvm = await this.#readProof(cpuinfo.flags);
    const cpu = await this.#readCpu(qemu, kvm);
    const facts = {
      kernel: kernel.trim(),
      ...qemu,
      cpuVendor: cpuinfo.vendor,
      cpuModel: cpuinfo.model,
      cpuFlags: [...cpuinfo.flags],
      kvm,
      cpu: cpu.flatMap(({ support }) => (support === null ? [] : [support])),
      hostCpuCount: cpuinfo.cpuCount,
      numaNodes,
      memoryBytes: meminfo,
      // Files that are no concern of the processor and the kernel: the driver looks for them.
      firmware: null,
      hardware: await this.#readHardware(cpuinfo),
      // The agent knows: it makes them.
      networking: null,
      seedDisks: false,
    };
    return { ...facts, findings: [...deriveFindings(facts), ...cpuFindings(facts, cpu)] };
  }

  /** Null where QEMU does not work with this accelerator. Kept as long as QEMU and /dev/kvm stay what they are. */
  async #askCpu(accelerator: Accelerator): Promise<CpuAnswer> {
    const key = `${await fileKey(this.#qemuPath)} ${accelerator === 'kvm' ? await fileKey(KVM_DEVICE) : ''}`;
    const held = this.#cpu.get(accelerator);
    if (held?.key === key) return held.answer;
    const answer = queryCpuSupport(this.#qemuPath, accelerator).then(
      (support): CpuAnswer => ({ support }),
      (thrown: unknown): CpuAnswer => ({ support: null, reason: (thrown as Error).message }),
    );
    this.#cpu.set(accelerator, { key, answer });
    return answer;
  }

  /** Under kvm only where the device answers: elsewhere QEMU would only say that it is not there. */
  async #readCpu(qemu: QemuFacts, kvm: KvmFacts): Promise<CpuAnswer[]> {
    if (qemu.qemuVersion === null) return [];
    const isKvmThere = kvm.apiVersion !== null;
    return Promise.all((isKvmThere ? (['kvm', 'tcg'] as const) : (['tcg'] as const)).map((kind) => this.#askCpu(kind)));
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
    if (key === null) return { qemuVersion: null, qemuMachineType: null, machineTypes: [] };
    if (this.#qemu?.key !== key) {
      const [version, machines] = await Promise.all([
        runTool(this.#qemuPath, ['--version'], VERSION_TIMEOUT_MS),
        runTool(this.#qemuPath, ['-machine', 'help'], VERSION_TIMEOUT_MS),
      ]);
      const { newest, all } = parseMachineTypes(machines.stdout);
      const qemuVersion = parseQemuVersion(version.stdout);
      this.#qemu = { key, value: { qemuVersion, qemuMachineType: newest, machineTypes: [...all] } };
    }
    return this.#qemu.value;
  }

  async #readProof(cpuFlags: readonly string[]): Promise<KvmFacts> {
    const key = `${cpuFlags.join(' ')} ${await fileKey(KVM_DEVICE)}`;
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
