// Pages of docs/ that are the contract's tables in another form. `schema` is the built package @kvorum/schema.
const NOTE = (source) => `<!-- Made by \`npm run gen\` from ${source}. Edit that, not this. -->\n`;

const cells = (values) => `| ${values.join(' | ')} |`;
const table = (head, rows) => [cells(head), cells(head.map(() => '---')), ...rows.map(cells)].join('\n');

const transitions = (schema, part) =>
  schema.VM_STATES.flatMap((from) =>
    Object.entries(schema.VM_LIFECYCLE[from][part]).map(([event, to]) => ({ from, event, to })),
  );

const RESULT_TEXT = { done: 'done', doneStopped: 'done (stopped)', donePaused: 'done (paused)', unwound: 'unwound' };

const describe = (state, events, label = (event) => event) =>
  Object.entries(events)
    .map(([event, to]) => (to === state ? `${label(event)} =` : `${label(event)} → ${to}`))
    .join(', ') || '–';

const stateRow = (schema, state) => {
  const row = schema.VM_LIFECYCLE[state];
  return [
    `**${state}**`,
    describe(state, row.request),
    describe(state, row.result, (event) => RESULT_TEXT[event]),
    describe(state, row.fact),
    row.holdsResources,
    row.settled ? 'yes' : 'no',
  ];
};

/** One arrow per pair of states; what causes it is collected on it. */
const diagram = (schema) => {
  const arrows = new Map();
  for (const part of ['request', 'result', 'fact']) {
    for (const { from, event, to } of transitions(schema, part)) {
      if (from === to) continue;
      const key = `${from} --> ${to}`;
      const label = part === 'fact' ? `(${event})` : part === 'result' ? `[${event}]` : event;
      arrows.set(key, [...(arrows.get(key) ?? []), label]);
    }
  }
  const lines = [...arrows].map(([key, labels]) => `  ${key}: ${labels.join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', '  [*] --> creating', ...lines, '  deleted --> [*]', '```'].join('\n');
};

export const renderVmLifecycle = (schema) => `${NOTE('packages/schema/src/vm/vm-lifecycle.ts')}
# States of a VM

A **request** (a person or program asks) leads to a state in which an operation works; the **result** of that operation leads to a
settled state; a **fact** reported by the host's agent, or the loss of the host, says what is now true. \`=\` is accepted and changes
nothing. Whatever is not listed is refused with \`conflict_state\` and a sentence that says what is possible.

${table(
  ['state', 'request', 'result', 'fact', 'holds resources', 'settled'],
  schema.VM_STATES.map((state) => stateRow(schema, state)),
)}

\`maybe\`: a create that failed has given everything back; a VM that failed later still holds what it had.

In the picture, results stand in [brackets] and facts in (parentheses).

${diagram(schema)}
`;

const RUNNER_TEXT = {
  retry: 'tries the same step again',
  unwind: 'undoes what was done',
  stop: 'stops: a newer owner has taken over',
  stuck: 'parks the operation for a person',
};

export const renderErrors = (schema) => `${NOTE('packages/schema/src/errors/error-catalogue.ts')}
# Errors

Every error of the REST API is \`application/problem+json\` (RFC 9457) with one of these codes in \`code\`. Codes are stable; texts
are not. On gRPC the code is the \`reason\` of the error's details.

${table(
  ['code', 'HTTP', 'gRPC', 'what an operation does', 'what to do'],
  schema.ERROR_CODES.map((code) => {
    const row = schema.ERROR_CATALOGUE[code];
    return [`\`${code}\``, row.http, row.grpc, RUNNER_TEXT[row.runner], row.remedy];
  }),
)}
`;

export const renderLiveChanges = (schema) => `${NOTE('packages/schema/src/vm/vm-field-effects.ts')}
# Changing a VM

\`PATCH /v1/vms/{vmId}\` takes what the VM shall be; what is left out stays. \`?dryRun=plan\` answers, field by field, with what would
happen and why, and changes nothing. Each field has one of three effects:

- **live**: at once, in the running machine.
- **next-boot**: remembered, shown in \`pendingChanges\`, and in force from the next start or reboot that Kvorum makes (not the guest's
  own reboot, not a reset). With \`onlyLive: true\` the request is refused instead.
- **replace**: never; another VM has to be made. Refused.

On the command line:

    kvorum vm update web-1 --vcpus 4 --memory 8GiB --dry-run     the plan as a table: field, from, to, effect, why
    kvorum vm update web-1 --vcpus 4 --only-live --wait
    kvorum vm disk add|resize|remove|list, kvorum vm nic add|remove|list, kvorum vm cdrom add|insert|eject

A VM has room to grow while it runs if it was started with \`hardware.devices.maxVcpuCount\` and \`maxMemoryBytes\` (\`--max-vcpus\`,
\`--max-memory\`). They do not go with dedicated CPUs and NUMA nodes, nor the one with a topology and the other with huge, locked or
preallocated memory: all that is laid out at the start.

A \`live\` change that cannot be made at this moment becomes \`next-boot\`, and the plan says why. Of a VM that does not run every change is in
force when it is started.

${table(
  ['field', 'effect', 'what it needs'],
  schema.VM_FIELD_EFFECTS.map(({ field, effect, note }) => [`\`${field}\``, effect, note]),
)}

## What is paid when

What grows takes quota and room on the host before anything is done, in one conditional statement; without them the request is refused. What
shrinks is given back when the operation has ended. While a change waits for the next start, a VM holds the larger of both, the memory that
the hypervisor needs beside the guest's included (decision 14). On the host the limits of the VM's control group are widened before its process
grows and narrowed once it has shrunk.

## When the guest does not take part

Removing a device, taking memory back and taking a vCPU away need the guest. It has 30 seconds for each. If it has not let go by then, the
operation fails with \`conflict_state\` and the VM is what it was. QEMU cannot take such a request back: a guest that lets go of a device
later loses it until the next change or start. Memory comes back whole only if the guest used it for what can be moved: on Linux, start it
with \`memhp_default_state=online_movable\`. A disk that has grown cannot be made smaller; growing is therefore the last step.

## Not built

A card on a network is not plugged into a VM that runs. A VM with dedicated CPUs, huge pages or NUMA nodes changes its vCPUs and memory at its
next start only.
`;

export const DOCS = [
  { file: 'docs/live-changes.md', render: renderLiveChanges },
  { file: 'docs/vm-lifecycle.md', render: renderVmLifecycle },
  { file: 'docs/errors.md', render: renderErrors },
];
