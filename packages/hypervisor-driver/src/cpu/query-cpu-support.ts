import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Accelerator, DomainError, type HostCpuSupport } from '@kvorum/schema';
import { connectWhenBound } from '../qemu/connect-socket.js';
import { options } from '../qemu/option-string.js';
import { QemuChild } from '../qemu/qemu-child.js';
import { QmpClient } from '../qemu/qmp-client.js';
import { readTail } from '../qemu/read-tail.js';
import { cpuSupportOf, expandable } from './cpu-support-of.js';

/** What QEMU said of the processor, or why it said nothing. */
export type CpuAnswer = { readonly support: HostCpuSupport } | { readonly support: null; readonly reason: string };

/** Greeting, some 80 questions of 2 to 5 ms each, and the end. A loaded host takes ten times that. */
const QUERY_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 10_000;
const WORDS_BYTES_MAX = 2048;
/** Of util-linux, which every Debian has. */
const SETPRIV_PATH = '/usr/bin/setpriv';

/**
 * IA32_ARCH_CAPABILITIES: some KVMs (nested ones above all) announce the feature and then refuse to set its register, so that
 * no guest with it starts. QEMU ends with these words then (target/i386/kvm/kvm.c, kvm_buf_set_msrs).
 */
const REFUSED_FEATURES: readonly { readonly feature: string; readonly words: RegExp }[] = [
  { feature: 'arch-capabilities', words: /failed to set MSR 0x10a\b/ },
];

/**
 * Asks QEMU which processors it can give to guests here. Under kvm the question is put to a machine with a vCPU of the model
 * `host`, stopped before its first instruction: so the answer proves that a guest starts, too. Throws `host_fault` with
 * QEMU's words when none does. Takes 0.3 to 1 s; the caller keeps the answer.
 */
export async function queryCpuSupport(qemuPath: string, accelerator: Accelerator): Promise<HostCpuSupport> {
  if (accelerator === 'tcg') return ask(qemuPath, accelerator, []);
  try {
    return await ask(qemuPath, accelerator, []);
  } catch (thrown) {
    const refused = REFUSED_FEATURES.filter(({ words }) => thrown instanceof Error && words.test(thrown.message));
    if (refused.length === 0) throw thrown;
    return ask(
      qemuPath,
      accelerator,
      refused.map(({ feature }) => feature),
    );
  }
}

async function ask(qemuPath: string, accelerator: Accelerator, withheld: readonly string[]): Promise<HostCpuSupport> {
  const folder = await mkdtemp(join(tmpdir(), 'kvorum-cpu-'));
  const log = await open(join(folder, 'log'), 'a', 0o600);
  const socketPath = join(folder, 'qmp.sock');
  let child: QemuChild | undefined;
  try {
    // Ends with this process, even by SIGKILL (PR_SET_PDEATHSIG of prctl(2)): nobody would look for it later.
    const inheritance = { cpus: [], mayLockMemory: false };
    const args = ['--pdeathsig', 'KILL', qemuPath, ...questionArguments(accelerator, withheld, socketPath)];
    child = new QemuChild(SETPRIV_PATH, args, { logFd: log.fd, fds: [], uid: null, cwd: '/', inheritance });
    const { exitStatus, spawnError } = child;
    let ended: DomainError | null = null;
    const note = (words: string): void => {
      ended ??= new DomainError('host_fault', words);
    };
    void exitStatus.then(() => note('QEMU ended'));
    void spawnError.then(({ message }) => note(`QEMU cannot be started: ${message}`));
    const socket = await connectWhenBound(socketPath, QUERY_TIMEOUT_MS, () => ended);
    const qmp = await QmpClient.open(socket, QUERY_TIMEOUT_MS);
    try {
      return await readSupport(qmp, accelerator, withheld);
    } finally {
      qmp.close();
    }
  } catch (thrown) {
    await child?.kill();
    const words = (await readTail(join(folder, 'log'), WORDS_BYTES_MAX)).trim();
    const message = `QEMU does not say what it can give guests of the processor under ${accelerator}`;
    throw new DomainError('host_fault', `${message}: ${words || (thrown as Error).message}`, { cause: thrown });
  } finally {
    await child?.kill();
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function questionArguments(accelerator: Accelerator, withheld: readonly string[], socketPath: string): string[] {
  const off = Object.fromEntries(withheld.map((feature) => [feature, 'off']));
  const machine = accelerator === 'kvm' ? ['-machine', 'q35', '-cpu', options('host', off)] : ['-machine', 'none'];
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-S', '-sandbox', 'on'],
    ...machine,
    ...['-accel', accelerator],
    ...['-chardev', options('socket', { id: 'monitor', path: socketPath, server: 'on', wait: 'off' })],
    ...['-mon', 'chardev=monitor,mode=control'],
  ];
}

async function readSupport(
  qmp: QmpClient,
  accelerator: Accelerator,
  withheld: readonly string[],
): Promise<HostCpuSupport> {
  const featuresOf = async (name: string): Promise<readonly string[]> => {
    const args = { type: 'static', model: { name } } as const;
    return (await qmp.execute('query-cpu-model-expansion', args, COMMAND_TIMEOUT_MS)).features;
  };
  const definitions = await qmp.execute('query-cpu-definitions', undefined, COMMAND_TIMEOUT_MS);
  const whole = await featuresOf(accelerator === 'kvm' ? 'host' : 'max');
  const models = new Map<string, readonly string[]>();
  // One after the other: the monitor answers in order anyway, and more than 64 questions at once look like a hang.
  for (const name of expandable(definitions)) models.set(name, await featuresOf(name));
  return cpuSupportOf({ accelerator, whole, models, withheld });
}
