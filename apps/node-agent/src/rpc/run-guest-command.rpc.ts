import type { RunGuestCommandRequest, RunGuestCommandResponse } from '@kvorum/schema/agent-wire';
import { runningVm } from '../vm/running-vm.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, RunGuestCommand } from './decode-request.js';

export async function runGuestCommand(
  { directory, commands }: AgentServices,
  request: RunGuestCommandRequest,
  signal: AbortSignal,
): Promise<RunGuestCommandResponse> {
  const { vmId, program, args, input, timeoutMs } = decodeRequest(RunGuestCommand, request);
  const { guest } = runningVm(directory, vmId).vm;
  const command = { program, args, input: input.byteLength === 0 ? null : input };
  const result = await commands.run(vmId, guest, command, timeoutMs, signal);
  return {
    exitCode: result.exitCode ?? undefined,
    signal: result.signal ?? 0,
    stdout: Buffer.from(result.stdout),
    stderr: Buffer.from(result.stderr),
    isTruncated: result.isTruncated,
    hasTimedOut: result.hasTimedOut,
  };
}
