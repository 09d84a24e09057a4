import { type EnsureVmRequest, type EnsureVmResponse, PowerState } from '@kvorum/schema/agent-wire';
import type { z } from 'zod';
import type { WantedPower } from '../vm/vm-actor-rules.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, EnsureVm } from './decode-request.js';

export async function ensureVm(
  { directory, writer }: AgentServices,
  request: EnsureVmRequest,
  signal: AbortSignal,
): Promise<EnsureVmResponse> {
  const decoded = decodeRequest(EnsureVm, request);
  const actor = directory.actorOf(decoded.intent.vmId);
  await actor.ensureVm(decoded.intent, decoded.spec, wantedOf(decoded), signal);
  return { vm: writer.vmReport(actor) ?? undefined };
}

function wantedOf({ power, graceMs, reset }: z.infer<typeof EnsureVm>): WantedPower {
  if (power === PowerState.POWER_STATE_STOPPED) return { power: 'stopped', graceMs };
  return power === PowerState.POWER_STATE_PAUSED ? { power: 'paused' } : { power: 'running', reset };
}
