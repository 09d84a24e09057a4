import type { GuestCommandResult, RunGuestCommandRequest, VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { cleanLine, cleanLines } from '../plain-text.js';
import { agentOfVm } from '../vm/agent-of-vm.js';
import { getVm } from '../vm/vms.js';

/** Beyond the program's own time: to start it, to kill it, and for the way. */
const MARGIN_MS = 30_000;
const PROGRAM_LENGTH_MAX = 255;

/**
 * Runs a program in the guest and waits for its end. Who ran which program is an event before it is started; its arguments and input
 * may hold secrets and are kept nowhere. Throws conflict_state, rate_limited, guest_agent_failed.
 */
export async function runGuestCommand(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  { command, input, timeoutMs }: RunGuestCommandRequest,
  signal?: AbortSignal,
): Promise<GuestCommandResult> {
  const vm = await getVm(cp, actor, vmId);
  const agent = await agentOfVm(cp, vm);
  const [program = '', ...args] = command;
  await withTransaction(cp.database, (tx) =>
    recordEvent(tx, {
      type: 'vm.exec',
      projectId: vm.projectId,
      resourceKind: 'vm',
      resourceId: vmId,
      data: {
        program: cleanLine(program, PROGRAM_LENGTH_MAX),
        argumentCount: args.length,
        by: actor.tokenName ?? actor.tokenId,
      },
    }),
  );
  const options = { timeoutMs: timeoutMs + MARGIN_MS, ...(signal === undefined ? {} : { signal }) };
  const result = await agent.runGuestCommand(vmId, { program, args, input: Buffer.from(input), timeoutMs }, options);
  const textOf = (bytes: Uint8Array): string => cleanLines(Buffer.from(bytes).toString('utf8'));
  return { ...result, stdout: textOf(result.stdout), stderr: textOf(result.stderr) };
}
