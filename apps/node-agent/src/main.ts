import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openQemuDriver, type QemuOptions, VM_UIDS } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import { pino } from 'pino';
import { AgentConfig, type AgentOptions, cgroupParentOf } from './config.js';
import { startAgent } from './start-agent.js';

/** After this the process ends even if something hangs: VMs do not depend on a clean end. */
const SHUTDOWN_TIMEOUT_MS = 10_000;
const USAGE_EXIT_CODE = 2;
const PATH_FLAGS = ['state-dir', 'run-dir', 'join-file', 'ceph-conf', 'ceph-keyring'] as const;

/** Flags are the configuration's names in kebab-case; the one schema checks them all. */
function readFlags(): AgentOptions {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      'state-dir': string,
      'run-dir': string,
      listen: string,
      'advertise-host': string,
      'join-file': string,
      'enrol-address': string,
      name: string,
      'allow-emulation': { type: 'boolean' },
      'trust-software-kvm': { type: 'boolean' },
      'capacity-vcpus': string,
      'capacity-memory-bytes': string,
      'capacity-disk-bytes': string,
      'host-cpus': string,
      'host-memory-bytes': string,
      'vm-users': string,
      'vm-uid-first': string,
      'vm-uid-count': string,
      networks: { type: 'boolean' },
      'overlay-address': string,
      'floating-interface': string,
      'name-servers': string,
      'merge-bytes-per-second': string,
      'storage-pool': { type: 'string', multiple: true },
      'ceph-conf': string,
      'ceph-user': string,
      'ceph-keyring': string,
      'log-level': string,
    },
  });
  for (const flag of PATH_FLAGS) {
    const path = values[flag];
    if (path !== undefined) values[flag] = resolve(path);
  }
  const camelCase = (flag: string) => flag.replaceAll(/-(.)/g, (_match, letter: string) => letter.toUpperCase());
  const options = Object.fromEntries(Object.entries(values).map(([flag, value]) => [camelCase(flag), value]));
  const parsed = AgentConfig.safeParse(options);
  if (parsed.success) return options as AgentOptions;
  const complaints = parsed.error.issues.map(
    ({ path: [flag = ''], message }) => `--${kebabCase(String(flag))}: ${message}`,
  );
  throw new DomainError('invalid_request', complaints.join('\n'));
}

/** Users and limits of VMs, as far as this process may set them; what is missing is a finding of the host. */
function isolationOf(config: AgentConfig): Pick<QemuOptions, 'vmUids' | 'cgroupParent'> {
  const isRoot = process.getuid?.() === 0;
  if (config.vmUsers === 'own' && !isRoot) {
    throw new DomainError('invalid_request', '--vm-users: VMs can have users of their own only if the agent is root');
  }
  const hasOwn = config.vmUsers === undefined ? isRoot : config.vmUsers === 'own';
  const range = { first: config.vmUidFirst ?? VM_UIDS.first, count: config.vmUidCount ?? VM_UIDS.count };
  return { vmUids: hasOwn ? range : null, cgroupParent: cgroupParentOf(config.stateDir) };
}

const kebabCase = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

async function main(): Promise<void> {
  const config = readFlags();
  // Standard output carries the one line for whoever started us; logs go to standard error.
  const log = pino({ level: config.logLevel ?? 'info' }, pino.destination({ fd: 2, sync: true }));
  const shutdown = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => shutdown.abort());
  const agent = await startAgent({
    config,
    driver: openQemuDriver(isolationOf(AgentConfig.parse(config))),
    log,
    signal: shutdown.signal,
  });
  const { address, hostId, name, accelerator, vmCount } = agent;
  process.stdout.write(`${JSON.stringify({ event: 'ready', hostId, name, address, accelerator, vmCount })}\n`);
  if (!shutdown.signal.aborted) {
    await new Promise((done) => shutdown.signal.addEventListener('abort', done, { once: true }));
  }
  log.info({ hostId }, 'shutting down; VMs run on');
  setTimeout(() => process.exit(0), SHUTDOWN_TIMEOUT_MS).unref();
  await agent.close();
}

main().then(
  // What the driver may keep open must not keep a process that has let go of everything.
  () => process.exit(0),
  (thrown: unknown) => {
    const isExpected = thrown instanceof DomainError;
    const { message, stack } = thrown as Error;
    process.stderr.write(`${JSON.stringify({ event: 'failed', reason: isExpected ? message : stack })}\n`);
    process.exit(isExpected && thrown.code === 'invalid_request' ? USAGE_EXIT_CODE : 1);
  },
);
