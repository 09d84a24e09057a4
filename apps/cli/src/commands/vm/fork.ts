import type { AcceptedOperation, KvorumClient, Vm } from '@kvorum/client';
import type { AddVerb, Cli } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectLabel, given } from '../../option-values.js';
import { openProgress } from '../../progress-display.js';
import { resolveOptional, resolveVmGroup, resolveVmTemplate } from '../../resolve-name.js';
import { describeVm, VM_COLUMNS } from './describe-vm.js';
import { addNetworkCardOptions, type NetworkCardOptions, networkCardsOf } from './network-card-options.js';

interface ForkOptions extends NetworkCardOptions {
  readonly group?: string;
  readonly label?: Record<string, string>;
  readonly wait?: boolean;
}

/** Beside each other; the control plane takes more, but answers one client no faster for it. */
const REQUESTS_AT_A_TIME = 8;

export const addVmFork: AddVerb = (vm, cli) => {
  addNetworkCardOptions(vm.command('fork'))
    .description('Create VMs that go on where a template was frozen, one of each name')
    .argument('<template>', 'name or id')
    .argument('<names...>', 'of the VMs, DNS labels')
    .option('--group <group>', 'a VM group of all of them: name or id')
    .option('--label <key=value>', 'of each; may be given several times', collectLabel)
    .option('--wait', 'until all of them run')
    .addHelpText('after', examples('kvorum vm fork web-warm web-2 --wait', 'kvorum vm fork web-warm web-{2..9} --wait'))
    .action(async (nameOrId: string, names: readonly string[], options: ForkOptions) => {
      const client = cli.connect();
      const [templateId, vmGroupId, nics] = await Promise.all([
        resolveVmTemplate(client, nameOrId),
        resolveOptional(resolveVmGroup, client, options.group),
        networkCardsOf(client, options),
      ]);
      const hardware = nics.length === 0 ? undefined : { devices: { nics } };
      const body = { templateId, ...given({ vmGroupId, labels: options.label, hardware }) };
      const fork = (name: string) => client.vms.create({ name, ...body });
      const asked = await settleAll(names, fork);
      const accepted = asked.flatMap(({ name, value }) => (value === null ? [] : [{ name, ...value }]));
      const ended = options.wait === true ? await awaitAll(cli, client, accepted) : [];
      await showForks(cli, client, accepted);
      endWithFailures(cli, [...asked, ...ended]);
    });
};

type Fork = AcceptedOperation & { readonly name: string };
interface Settled<Value> {
  readonly name: string;
  readonly value: Value | null;
  readonly error: unknown;
}

/** Calls for all names, some at a time. One that fails keeps no other from being tried. */
async function settleAll<Value>(
  names: readonly string[],
  call: (name: string) => Promise<Value>,
): Promise<Settled<Value>[]> {
  const settled: Settled<Value>[] = [];
  const waiting = [...names];
  const takeOver = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const of = name;
      settled.push(
        await call(of).then(
          (value) => ({ name: of, value, error: null }),
          (error: unknown) => ({ name: of, value: null, error }),
        ),
      );
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_A_TIME }, takeOver));
  return settled.sort((one, other) => names.indexOf(one.name) - names.indexOf(other.name));
}

/** Ctrl-C ends the waiting alone. */
const awaitAll = (cli: Cli, client: KvorumClient, forks: readonly Fork[]): Promise<Settled<unknown>[]> =>
  cli.untilInterrupt('the forks are still being made; look with: kvorum vm list', async (signal) => {
    const display = openProgress(cli.io.stderr, 'vm.create');
    let doneCount = 0;
    const tell = (): void => {
      const text = `${doneCount} of ${forks.length} forks`;
      display.update({ fraction: doneCount / forks.length, text, milestone: text });
    };
    try {
      return await settleAll(
        forks.map(({ name }) => name),
        async (name) => {
          const fork = forks.find((one) => one.name === name);
          if (fork !== undefined) await client.operations.wait(fork.operation.id, { signal });
          doneCount += 1;
          tell();
        },
      );
    } finally {
      display.close();
    }
  });

async function showForks(cli: Cli, client: KvorumClient, forks: readonly Fork[]): Promise<void> {
  const vms = await Promise.all(forks.map(({ resourceId }) => client.vms.get(resourceId)));
  const [only, ...others] = vms;
  if (only !== undefined && others.length === 0) return cli.show(only, describeVm);
  cli.showPage<Vm>({ items: vms }, VM_COLUMNS);
}

/** All are named; the first is what the process ends with. */
function endWithFailures(cli: Cli, settled: readonly Settled<unknown>[]): void {
  const failed = settled.filter(({ error }) => error !== null);
  for (const { name, error } of failed.slice(1)) {
    cli.note(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const [first] = failed;
  if (first === undefined) return;
  if (failed.length > 1) cli.note(`${first.name}, the first of ${failed.length} that failed:`);
  throw first.error;
}
