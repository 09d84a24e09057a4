/**
 * The QMP commands this package uses, each with its arguments and the reading of its answer (QEMU's qapi/*.json). An
 * answer is read field by field: QEMU is the process a guest attacks first, so what it says is checked before use.
 */
export interface QmpCommands {
  qmp_capabilities: { arguments: undefined; answer: undefined };
  'query-status': { arguments: undefined; answer: { isRunning: boolean; status: string } };
  'query-cpus-fast': { arguments: undefined; answer: { vcpuIndex: number; threadId: number }[] };
  'query-balloon': { arguments: undefined; answer: { actualBytes: number } };
  balloon: { arguments: { value: number }; answer: undefined };
  stop: { arguments: undefined; answer: undefined };
  cont: { arguments: undefined; answer: undefined };
  system_reset: { arguments: undefined; answer: undefined };
  system_powerdown: { arguments: undefined; answer: undefined };
  quit: { arguments: undefined; answer: undefined };
}

export type QmpCommandName = keyof QmpCommands;
type Reader<Name extends QmpCommandName> = (answer: unknown) => QmpCommands[Name]['answer'] | null;

/** Null: the answer has not the shape that QEMU documents. Commands that answer `{}` are not looked at. */
export const QMP_READERS: { readonly [Name in QmpCommandName]: Reader<Name> } = {
  qmp_capabilities: () => undefined,
  // qapi/run-state.json: StatusInfo; `status` is a RunState
  'query-status': (answer) => {
    const { running, status } = fieldsOf(answer);
    return typeof running === 'boolean' && typeof status === 'string' ? { isRunning: running, status } : null;
  },
  // qapi/machine.json: CpuInfoFast
  'query-cpus-fast': (answer) => {
    if (!Array.isArray(answer)) return null;
    const vcpus = answer.map((entry: unknown) => {
      const { 'cpu-index': vcpuIndex, 'thread-id': threadId } = fieldsOf(entry);
      return { vcpuIndex, threadId };
    });
    return vcpus.every(isVcpu) ? vcpus.sort((a, b) => a.vcpuIndex - b.vcpuIndex) : null;
  },
  // qapi/machine.json: BalloonInfo
  'query-balloon': (answer) => {
    const { actual } = fieldsOf(answer);
    return isCount(actual) ? { actualBytes: actual } : null;
  },
  balloon: () => undefined,
  stop: () => undefined,
  cont: () => undefined,
  system_reset: () => undefined,
  system_powerdown: () => undefined,
  quit: () => undefined,
};

/** The fields of an object; none for anything else. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isVcpu = (vcpu: { vcpuIndex: unknown; threadId: unknown }): vcpu is { vcpuIndex: number; threadId: number } =>
  isCount(vcpu.vcpuIndex) && isCount(vcpu.threadId);
