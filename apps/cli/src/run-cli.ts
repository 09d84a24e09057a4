import { Command, Option } from 'commander';
import { type AddVerb, type Cli, type CliIo, openCli } from './cli.js';
import { addEventVerbs } from './commands/event/add-event-verbs.js';
import { addFlavorVerbs } from './commands/flavor/add-flavor-verbs.js';
import { addFloatingAddressVerbs } from './commands/floating-address/add-floating-address-verbs.js';
import { addFloatingRangeVerbs } from './commands/floating-range/add-floating-range-verbs.js';
import { addHostVerbs } from './commands/host/add-host-verbs.js';
import { addHostGroupVerbs } from './commands/host-group/add-host-group-verbs.js';
import { addImageVerbs } from './commands/image/add-image-verbs.js';
import { addLeftoverVerbs } from './commands/leftover/add-leftover-verbs.js';
import { addNetworkVerbs } from './commands/network/add-network-verbs.js';
import { addOperationVerbs } from './commands/operation/add-operation-verbs.js';
import { addPlacementVerbs } from './commands/placement/add-placement-verbs.js';
import { addCapacity } from './commands/placement/capacity.js';
import { addRebalance } from './commands/placement/rebalance.js';
import { addPortVerbs } from './commands/port/add-port-verbs.js';
import { addProjectVerbs } from './commands/project/add-project-verbs.js';
import { addSecurityGroupVerbs } from './commands/security-group/add-security-group-verbs.js';
import { addLogin } from './commands/session/login.js';
import { addLogout } from './commands/session/logout.js';
import { addWhoami } from './commands/session/whoami.js';
import { addStoragePoolVerbs } from './commands/storage-pool/add-storage-pool-verbs.js';
import { addTokenVerbs } from './commands/token/add-token-verbs.js';
import { addVmVerbs } from './commands/vm/add-vm-verbs.js';
import { addVmGroupVerbs } from './commands/vm-group/add-vm-group-verbs.js';
import { addVmTemplateVerbs } from './commands/vm-template/add-vm-template-verbs.js';
import { addVolumeVerbs } from './commands/volume/add-volume-verbs.js';
import { examples } from './examples.js';
import { exitCodeHelp, exitCodeOf } from './exit-code.js';
import { printError } from './print-error.js';

const VERSION = '0.1.0';
/** Where the width of the terminal is not known. */
const HELP_WIDTH = 80;
const COMMANDS: readonly AddVerb[] = [
  addLogin,
  addLogout,
  addWhoami,
  addVmVerbs,
  addVmGroupVerbs,
  addVmTemplateVerbs,
  addOperationVerbs,
  addImageVerbs,
  addFlavorVerbs,
  addHostVerbs,
  addLeftoverVerbs,
  addHostGroupVerbs,
  addNetworkVerbs,
  addPortVerbs,
  addFloatingAddressVerbs,
  addFloatingRangeVerbs,
  addSecurityGroupVerbs,
  addStoragePoolVerbs,
  addVolumeVerbs,
  addPlacementVerbs,
  addCapacity,
  addRebalance,
  addProjectVerbs,
  addTokenVerbs,
  addEventVerbs,
];

const ENVIRONMENT_HELP = `
Environment:
  KVORUM_URL         address of the control plane; goes before the stored login
  KVORUM_TOKEN_FILE  file with an API token; goes before the stored login
  NO_COLOR           no colours, even on a terminal
`;

/** Runs one command line (without node and script) and returns what the process is to exit with. Never throws. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  try {
    const { program, cli } = buildProgram(io);
    await program.parseAsync(args, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    printError(io, error);
    return exitCodeOf(error);
  }
}

function buildProgram(io: CliIo): { program: Command; cli: Cli } {
  const program = new Command('kvorum')
    .description('Virtual machines on your own hosts')
    .version(VERSION)
    .addOption(
      new Option('-o, --output <format>', 'json: exactly what the API answered')
        .choices(['table', 'json'])
        .default('table'),
    )
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => io.stderr.columns ?? HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(--help says what is possible)')
    .exitOverride()
    .addHelpText(
      'after',
      examples(
        'kvorum login http://127.0.0.1:7080 --token-file admin.token',
        'kvorum vm create web-1 --flavor small --image debian-13 --wait',
        'kvorum vm list -o json',
      ),
    )
    .addHelpText('after', `${ENVIRONMENT_HELP}\n${exitCodeHelp()}`);
  const cli = openCli(io, program);
  for (const add of COMMANDS) add(program, cli);
  return { program, cli };
}
