import { DomainError } from '@kvorum/schema';
import {
  GUEST_OUTPUT_BYTES_MAX,
  type GuestCommand,
  type GuestCommandStatus,
  type GuestInterface,
  type GuestPort,
} from '../guest-port.js';

/** What runs inside a FakeProcess: a guest with an agent, one network interface and a handful of programs. */
export class FakeGuest {
  interfaces: GuestInterface[] = [
    { name: 'eth0', macAddress: '52:54:00:00:00:01', addresses: [{ address: '10.0.0.5', prefixLength: 24 }] },
  ];
  /** Everything that was started: proves that nothing ran twice. */
  readonly commands: GuestCommand[] = [];
  /** What its clock was set to last (Unix ms); null: it was not. */
  clockMs: number | null = null;
  isFrozen = false;
  /** The agent refuses this many thaws before it obeys. */
  thawFailuresLeft = 0;
  readonly #statuses = new Map<number, GuestCommandStatus>();

  start(command: GuestCommand): number | null {
    const status = run(command);
    if (status === null) return null;
    this.commands.push(command);
    this.#statuses.set(this.commands.length, status);
    return this.commands.length;
  }

  /** As qemu-ga, it forgets a program once it has told of its end. */
  poll(commandId: number): GuestCommandStatus | null {
    const status = this.#statuses.get(commandId) ?? null;
    if (status?.hasEnded === true) this.#statuses.delete(commandId);
    return status;
  }

  kill(commandId: number): void {
    const status = this.#statuses.get(commandId);
    if (status !== undefined) this.#statuses.set(commandId, { ...status, hasEnded: true, exitCode: null, signal: 9 });
  }
}

function run({ program, args, input }: GuestCommand): GuestCommandStatus | null {
  const ended = (stdout: string | Uint8Array, exitCode = 0): GuestCommandStatus => ({
    hasEnded: true,
    exitCode,
    signal: null,
    stdout: Buffer.from(stdout as string),
    stderr: new Uint8Array(0),
    isTruncated: false,
  });
  switch (program) {
    case 'echo':
      return ended(`${args.join(' ')}\n`);
    case 'cat':
      return ended(input ?? '');
    case 'false':
      return ended('', 1);
    case 'sleep':
      return { ...ended(''), hasEnded: false, exitCode: null };
    case 'seq':
      return ended(Array.from({ length: Number(args[0]) }, (_, index) => `${index + 1}\n`).join(''));
    default:
      return null;
  }
}

/** What a fake guest's process lets one ask; `answering` throws when nobody is there to answer. */
export class FakeGuestPort implements GuestPort {
  readonly #answering: () => Promise<FakeGuest>;

  constructor(answering: () => Promise<FakeGuest>) {
    this.#answering = answering;
  }

  async queryInterfaces(): Promise<GuestInterface[]> {
    return (await this.#thawed('guest-network-get-interfaces')).interfaces;
  }

  async startCommand(command: GuestCommand): Promise<number> {
    const guest = await this.#thawed('guest-exec');
    // `kill -KILL id`, as programs that ran too long are ended.
    if (command.program === 'kill') guest.kill(Number(command.args.at(-1)));
    const started = command.program === 'kill' ? 0 : guest.start(command);
    if (started === null) throw refused('guest-exec', 'Failed to execute child process (No such file or directory)');
    return started;
  }

  async pollCommand(commandId: number): Promise<GuestCommandStatus> {
    const status = (await this.#thawed('guest-exec-status')).poll(commandId);
    if (status === null) throw refused('guest-exec-status', 'Invalid parameter pid');
    if (Math.max(status.stdout.length, status.stderr.length) > GUEST_OUTPUT_BYTES_MAX) {
      throw new DomainError('guest_agent_failed', 'the guest agent answered more than is taken from a guest');
    }
    return status;
  }

  async setTime(atMs: number): Promise<void> {
    (await this.#thawed('guest-set-time')).clockMs = atMs;
  }

  async freeze(): Promise<number> {
    const guest = await this.#thawed('guest-fsfreeze-freeze');
    guest.isFrozen = true;
    return 1;
  }

  async thaw(): Promise<number> {
    const guest = await this.#answering();
    if (guest.thawFailuresLeft > 0) {
      guest.thawFailuresLeft -= 1;
      throw refused('guest-fsfreeze-thaw', 'not now');
    }
    const count = guest.isFrozen ? 1 : 0;
    guest.isFrozen = false;
    return count;
  }

  async isFrozen(): Promise<boolean> {
    return (await this.#answering()).isFrozen;
  }

  /** As qemu-ga, which does nothing that might write while file systems are frozen. */
  async #thawed(command: string): Promise<FakeGuest> {
    const guest = await this.#answering();
    if (guest.isFrozen) throw refused(command, 'the agent is in frozen state');
    return guest;
  }
}

const refused = (command: string, reason: string): DomainError =>
  new DomainError('guest_agent_failed', `the guest agent refused: ${reason} (${command})`);
