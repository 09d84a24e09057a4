// Pages of docs/ that are the contract's tables in another form. `schema` is the built package @kvorum/schema.
const NOTE = (source) => `<!-- Made by \`npm run gen\` from ${source}. Edit that, not this. -->\n`;

const cells = (values) => `| ${values.join(' | ')} |`;
const table = (head, rows) => [cells(head), cells(head.map(() => '---')), ...rows.map(cells)].join('\n');

const transitions = (schema, part) =>
  schema.VM_STATES.flatMap((from) =>
    Object.entries(schema.VM_LIFECYCLE[from][part]).map(([event, to]) => ({ from, event, to })),
  );

const RESULT_TEXT = { done: 'done', doneStopped: 'done (not started)', unwound: 'unwound' };

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

export const DOCS = [
  { file: 'docs/vm-lifecycle.md', render: renderVmLifecycle },
  { file: 'docs/errors.md', render: renderErrors },
];
