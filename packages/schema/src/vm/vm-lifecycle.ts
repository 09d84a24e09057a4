/**
 * The one table of VM states. API guards, SQL guards, buttons, CLI hints and docs/vm-lifecycle.md are derived from it;
 * nothing else may list states. Events come from three sources and no other:
 *
 *   request  a person or program asks (REST, gRPC)            -> the state in which an operation works
 *   result   the operation that owns the state has finished   -> a settled state
 *   fact     the host's agent, or the loss of the host        -> what is now true
 *
 * A settled state waits for nobody. An unsettled one has an operation that owns it and a deadline.
 */
export type VmState =
  | 'creating'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'pausing'
  | 'paused'
  | 'resuming'
  | 'rebooting'
  | 'updating'
  | 'moving'
  | 'stopping'
  | 'unknown'
  | 'failed'
  | 'deleting'
  | 'deleted';

/**
 * What people may ask for. `move` takes a VM that does not run to another host; live migration is not built, and nothing may offer it.
 * `reset` presses the reset button of the running machine; `reboot` shuts the guest down and starts it again. `update` changes what the VM is.
 */
export type VmRequest = 'start' | 'stop' | 'reboot' | 'reset' | 'pause' | 'resume' | 'update' | 'move' | 'delete';

/** `done`, `doneStopped` and `donePaused` are good ends (a VM can be created without being started, and changed in any of them). */
export type VmResult = 'done' | 'doneStopped' | 'donePaused' | 'unwound';

/**
 * `gone`: the guest powered itself off and its process ended cleanly. `crashed`: the process ended in any other way.
 * `hostLost`: the host stopped reporting; what became of the VM is not known.
 */
export type VmFact = 'running' | 'paused' | 'gone' | 'crashed' | 'hostLost';

export interface VmLifecycleRow {
  readonly request: Readonly<Partial<Record<VmRequest, VmState>>>;
  readonly result: Readonly<Partial<Record<VmResult, VmState>>>;
  readonly fact: Readonly<Partial<Record<VmFact, VmState>>>;
  /** Does a VM in this state hold its reservation and disk? `maybe`: a failed create has given them back. */
  readonly holdsResources: 'yes' | 'no' | 'maybe';
  readonly settled: boolean;
}

const row = (row: VmLifecycleRow): VmLifecycleRow => row;

/** A request that leads back to the same state is accepted and changes nothing. */
export const VM_LIFECYCLE: Readonly<Record<VmState, VmLifecycleRow>> = {
  creating: row({
    request: {},
    result: { done: 'running', doneStopped: 'stopped', unwound: 'failed' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  stopped: row({
    request: { start: 'starting', stop: 'stopped', update: 'updating', move: 'moving', delete: 'deleting' },
    result: {},
    fact: { running: 'running', paused: 'paused' },
    holdsResources: 'yes',
    settled: true,
  }),
  starting: row({
    request: {},
    result: { done: 'running', unwound: 'stopped' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  running: row({
    request: {
      start: 'running',
      stop: 'stopping',
      reboot: 'rebooting',
      reset: 'rebooting',
      pause: 'pausing',
      resume: 'running',
      update: 'updating',
      delete: 'deleting',
    },
    result: {},
    fact: { paused: 'paused', gone: 'stopped', crashed: 'failed', hostLost: 'unknown' },
    holdsResources: 'yes',
    settled: true,
  }),
  pausing: row({
    request: {},
    result: { done: 'paused', unwound: 'unknown' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  paused: row({
    request: { pause: 'paused', resume: 'resuming', stop: 'stopping', update: 'updating', delete: 'deleting' },
    result: {},
    fact: { running: 'running', gone: 'stopped', crashed: 'failed', hostLost: 'unknown' },
    holdsResources: 'yes',
    settled: true,
  }),
  resuming: row({
    request: {},
    result: { done: 'running', unwound: 'unknown' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  rebooting: row({
    request: {},
    result: { done: 'running', unwound: 'unknown' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  updating: row({
    request: {},
    result: { done: 'running', doneStopped: 'stopped', donePaused: 'paused', unwound: 'unknown' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  moving: row({
    request: {},
    result: { done: 'stopped', unwound: 'stopped' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  stopping: row({
    request: {},
    result: { done: 'stopped', unwound: 'unknown' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  unknown: row({
    request: { delete: 'deleting' },
    result: {},
    fact: { running: 'running', paused: 'paused', gone: 'stopped', crashed: 'failed' },
    holdsResources: 'yes',
    settled: true,
  }),
  failed: row({
    request: { start: 'starting', stop: 'failed', update: 'updating', move: 'moving', delete: 'deleting' },
    result: {},
    fact: { running: 'running', paused: 'paused' },
    holdsResources: 'maybe',
    settled: true,
  }),
  deleting: row({
    request: { delete: 'deleting' },
    result: { done: 'deleted', unwound: 'failed' },
    fact: {},
    holdsResources: 'yes',
    settled: false,
  }),
  deleted: row({ request: { delete: 'deleted' }, result: {}, fact: {}, holdsResources: 'no', settled: true }),
};

export const VM_STATES = Object.keys(VM_LIFECYCLE) as [VmState, ...VmState[]];
export const VM_REQUESTS = [
  'start',
  'stop',
  'reboot',
  'reset',
  'pause',
  'resume',
  'update',
  'move',
  'delete',
] as const satisfies readonly VmRequest[];
export const VM_RESULTS = ['done', 'doneStopped', 'donePaused', 'unwound'] as const satisfies readonly VmResult[];
export const VM_FACTS = ['running', 'paused', 'gone', 'crashed', 'hostLost'] as const satisfies readonly VmFact[];

export const nextOnRequest = (state: VmState, request: VmRequest): VmState | null =>
  VM_LIFECYCLE[state].request[request] ?? null;
export const nextOnResult = (state: VmState, result: VmResult): VmState | null =>
  VM_LIFECYCLE[state].result[result] ?? null;
export const nextOnFact = (state: VmState, fact: VmFact): VmState | null => VM_LIFECYCLE[state].fact[fact] ?? null;

export const isSettled = (state: VmState): boolean => VM_LIFECYCLE[state].settled;
export const allowedRequests = (state: VmState): VmRequest[] =>
  VM_REQUESTS.filter((request) => nextOnRequest(state, request) !== null);
/** States in which a request is accepted: the `WHERE state IN (…)` of its SQL guard. */
export const statesAccepting = (request: VmRequest): VmState[] =>
  VM_STATES.filter((state) => nextOnRequest(state, request) !== null);
/** The states an agent's fact changes, with the state it leads to: the SQL of observe-vm. */
export const transitionsOnFact = (fact: VmFact): { from: VmState; to: VmState }[] =>
  VM_STATES.flatMap((from) => {
    const to = nextOnFact(from, fact);
    return to === null ? [] : [{ from, to }];
  });

/** The sentence a refused request is answered with. */
export function refusalOf(state: VmState, request: VmRequest): string {
  const allowed = allowedRequests(state);
  const hint = isSettled(state)
    ? allowed.length > 0
      ? `possible now: ${allowed.join(', ')}`
      : 'nothing is possible any more'
    : 'wait until its operation has finished';
  return `${request} is not possible while the VM is ${state}; ${hint}`;
}
