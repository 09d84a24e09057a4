import { DomainError } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import { runningVm } from '../vm/running-vm.js';
import type { VmDirectory } from '../vm/vm-directory.js';
import { type ConsoleSession, displaySession, serialSession } from './console-session.js';

/** Two windows each for a handful of people; each costs descriptors, and with VNC memory of the VM's process. */
const SESSIONS_PER_VM_MAX = 8;
/** Longer than anybody works without a break; what was forgotten is closed. */
const SESSION_MS_MAX = 12 * 3_600_000;

/** Where the VMs are found. */
type Vms = Pick<VmDirectory, 'find'>;

export interface ConsoleDemand {
  readonly vmId: string;
  readonly kind: 'serial' | 'vnc';
  readonly backlogBytes: number;
}

export interface HeldSession extends ConsoleSession {
  /** Aborted when it has to end; the reason is a text for the user. */
  readonly signal: AbortSignal;
  close(reason: string): void;
}

/** All console sessions of this host: bounds how many there are, and ends them with the run of their VM. */
export class ConsoleSessions {
  readonly #directory: Vms;
  readonly #folders: StateFolders;
  readonly #sessionMs: number;
  readonly #open = new Map<HeldSession, string>();
  #isClosing = false;

  constructor(directory: Vms, folders: StateFolders, { sessionMs = SESSION_MS_MAX } = {}) {
    this.#directory = directory;
    this.#folders = folders;
    this.#sessionMs = sessionMs;
  }

  /** Throws `not_found`, `conflict_state` if the VM does not run or has no such console, `rate_limited` if it has too many sessions. */
  async open({ vmId, kind, backlogBytes }: ConsoleDemand): Promise<HeldSession> {
    if (this.#isClosing) throw new DomainError('unavailable', 'the agent is shutting down; ask again');
    const { vm } = runningVm(this.#directory, vmId);
    const ending = new AbortController();
    const close = (reason: string): void => ending.abort(reason);
    const placeholder = { signal: ending.signal, close } as HeldSession;
    this.#assertRoom(vmId);
    // Taken before anything is awaited: two that come together must not both get the last seat.
    this.#open.set(placeholder, vmId);
    try {
      const session =
        kind === 'serial'
          ? await serialSession(vm.consoles, this.#folders.runDirOf(vmId), backlogBytes, ending.signal)
          : displaySession(await vm.consoles.openDisplay(), ending.signal);
      const held = Object.assign(placeholder, session);
      this.#endWith(held, vm.exited);
      return held;
    } catch (thrown) {
      this.#open.delete(placeholder);
      throw thrown;
    }
  }

  close(): void {
    this.#isClosing = true;
    for (const session of this.#open.keys()) session.close('the agent of the host is shutting down; connect again');
  }

  #assertRoom(vmId: string): void {
    const count = [...this.#open.values()].filter((other) => other === vmId).length;
    if (count < SESSIONS_PER_VM_MAX) return;
    throw new DomainError('rate_limited', `the VM has ${SESSIONS_PER_VM_MAX} console sessions open; close one`);
  }

  #endWith(session: HeldSession, exited: Promise<unknown>): void {
    const limit = setTimeout(() => session.close('the session has lasted as long as one may'), this.#sessionMs);
    const forget = (): void => {
      clearTimeout(limit);
      this.#open.delete(session);
    };
    session.signal.addEventListener('abort', forget);
    // It may have had to end while it was opened.
    if (session.signal.aborted) forget();
    void exited.then(() => session.close('the VM has stopped'));
  }
}
