import { Metadata } from '@grpc/grpc-js';
import { type ConsoleKind, DomainError, type HostNetworks, type ThawedVm } from '@kvorum/schema';
import { type EnsureVmRequest, type PeerHost, PowerState, type VmSpec } from '@kvorum/schema/agent-wire';
import { cleanLine } from '../plain-text.js';
import { progressing, unary } from './agent-call.js';
import type {
  AgentCopy,
  AgentDisk,
  AgentFreeze,
  AgentFreezing,
  AgentGuestCommand,
  AgentGuestCommandResult,
  AgentImage,
  AgentNetworkFault,
  AgentPeer,
  AgentPermission,
  AgentPort,
  AgentTemplate,
  AgentVmSpec,
  CallOptions,
  ConsolePart,
  ConsoleStream,
  Intent,
  ObservedVm,
  WantedPower,
} from './agent-port.js';
import { joinScreenshot, openConsole } from './console-calls.js';
import { type AgentHostSweep, agentHostSweepOf } from './leftover-calls.js';
import { toWireNetworks } from './network-shapes.js';
import { publishDisk } from './publish-call.js';
import type { PublishWatch } from './publish-watch.js';
import { VolumeCalls } from './volume-calls.js';
import { observedVmOf, toWireAccelerator } from './wire-shapes.js';

/** What is kept of a host's words. */
const FAULT_LENGTH_MAX = 500;
/** An observation is answered from the agent's memory. */
const OBSERVE_TIMEOUT_MS = 5000;

/** AgentPort over gRPC. */
export class AgentClient extends VolumeCalls implements AgentPort {
  async observeVm(vmId: string): Promise<ObservedVm | null> {
    const client = await this.connect();
    const options = { timeoutMs: OBSERVE_TIMEOUT_MS };
    const { vms } = await unary(client.observeVms.bind(client), { vmIds: [vmId] }, options);
    const report = vms.find((vm) => vm.vmId === vmId);
    return report === undefined ? null : observedVmOf(report);
  }

  async ensureImage(
    image: AgentImage,
    options: CallOptions & { onProgress?: (doneBytes: number) => void },
  ): Promise<void> {
    const client = await this.connect();
    const request = { ...image, peers: wirePeers(image.peers ?? []) };
    await progressing(client.ensureImage.bind(client), request, options, {
      isLast: ({ isComplete }) => isComplete,
      hear: ({ doneBytes }) => options.onProgress?.(doneBytes),
    });
  }

  async ensureDisk(intent: Intent, disk: AgentDisk, options: CallOptions): Promise<void> {
    const client = await this.connect();
    const { imageId, imageSha256, templateId = null } = disk;
    const base = { imageId: imageId ?? '', imageSha256: imageSha256 ?? '', templateId: templateId ?? undefined };
    const request = { ...disk, ...base };
    await unary(client.ensureDisk.bind(client), { intent: { ...intent }, ...request }, options);
  }

  async removeDisk(intent: Intent, volumeId: string, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.removeDisk.bind(client), { intent: { ...intent }, volumeId }, options);
  }

  async ensureNetworks(revision: number, desired: HostNetworks, options: CallOptions): Promise<AgentNetworkFault[]> {
    const client = await this.connect();
    const { faults } = await unary(client.ensureNetworks.bind(client), toWireNetworks(revision, desired), options);
    return faults.map(({ networkId, message }) => ({ networkId, message: cleanLine(message, FAULT_LENGTH_MAX) }));
  }

  async ensureVm(intent: Intent, spec: AgentVmSpec, wanted: WantedPower, options: CallOptions): Promise<ObservedVm> {
    const client = await this.connect();
    const request: EnsureVmRequest = {
      intent: { ...intent },
      spec: toWireSpec(spec),
      ...wirePower(wanted),
    };
    const { vm } = await unary(client.ensureVm.bind(client), request, options);
    if (vm === undefined)
      throw new DomainError('host_fault', 'the agent ensured a VM and did not say what is true of it');
    return observedVmOf(vm);
  }

  async ensureBalloon(intent: Intent, targetBytes: number, options: CallOptions): Promise<number> {
    const client = await this.connect();
    const request = { intent: { ...intent }, targetBytes };
    return (await unary(client.ensureBalloon.bind(client), request, options)).actualBytes;
  }

  async removeVm(intent: Intent, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.removeVm.bind(client), { intent: { ...intent } }, options);
  }

  async freezeTemplate(intent: Intent, freeze: AgentFreezing, options: CallOptions): Promise<AgentTemplate> {
    const client = await this.connect();
    const request = { intent: { ...intent }, ...freeze };
    const { occupiedBytes, rootDiskBytes } = await unary(client.freezeTemplate.bind(client), request, options);
    return { occupiedBytes, rootDiskBytes };
  }

  async removeTemplate(templateId: string, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.removeTemplate.bind(client), { templateId }, options);
  }

  async offerVm(intent: Intent, permission: AgentPermission, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.offerVm.bind(client), { intent: { ...intent }, ...wirePermission(permission) }, options);
  }

  async withdrawVmOffer(intent: Intent, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.withdrawVmOffer.bind(client), { intent: { ...intent } }, options);
  }

  async receiveVm(
    intent: Intent,
    { spec, volumes, source }: AgentCopy,
    options: CallOptions & { onProgress?: (done: { doneBytes: number; totalBytes: number }) => void },
  ): Promise<ObservedVm> {
    const client = await this.connect();
    const request = {
      intent: { ...intent },
      spec: toWireSpec(spec),
      volumes: volumes.map(({ imageSha256, ...volume }) => ({ ...volume, imageSha256: imageSha256 ?? '' })),
      source: wirePeers([source])[0],
    };
    const { vm } = await progressing(client.receiveVm.bind(client), request, options, {
      isLast: ({ vm: received }) => received !== undefined,
      hear: (progress) => options.onProgress?.(progress),
    });
    if (vm === undefined) throw new TypeError('the last message has the VM');
    return observedVmOf(vm);
  }

  async *publishDisk(
    intent: Intent,
    volumeId: string,
    options: CallOptions & PublishWatch,
  ): AsyncGenerator<Uint8Array> {
    const client = await this.connect();
    yield* publishDisk(client, { intent: { ...intent }, volumeId }, options);
  }

  async offerImage(sha256: string, permission: AgentPermission, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.offerImage.bind(client), { sha256, ...wirePermission(permission) }, options);
  }

  async sweepHost(
    request: { readonly orphanAgeMs: number; readonly imageSha256s: readonly string[] },
    options: CallOptions,
  ): Promise<AgentHostSweep> {
    const client = await this.connect();
    const wire = { ...request, imageSha256s: [...request.imageSha256s] };
    return agentHostSweepOf(await unary(client.sweepHost.bind(client), wire, options));
  }

  async removeLeftover(name: string, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.removeLeftover.bind(client), { name }, options);
  }

  async openConsole(vmId: string, kind: ConsoleKind, backlogBytes: number): Promise<ConsoleStream> {
    return openConsole(await this.connect(), vmId, kind, backlogBytes);
  }

  async takeScreenshot(vmId: string, { timeoutMs }: CallOptions): Promise<Uint8Array> {
    const client = await this.connect();
    return joinScreenshot(client.takeScreenshot({ vmId }, new Metadata(), { deadline: Date.now() + timeoutMs }));
  }

  async runGuestCommand(
    vmId: string,
    command: AgentGuestCommand,
    options: CallOptions,
  ): Promise<AgentGuestCommandResult> {
    const client = await this.connect();
    const request = { vmId, ...command, args: [...command.args], input: Buffer.from(command.input) };
    const { exitCode, signal, ...result } = await unary(client.runGuestCommand.bind(client), request, options);
    return { ...result, exitCode: exitCode ?? null, signal: signal === 0 ? null : signal };
  }

  async freezeGuest(vmId: string, durationMs: number, options: CallOptions): Promise<AgentFreeze> {
    const client = await this.connect();
    return unary(client.freezeGuest.bind(client), { vmId, durationMs }, options);
  }

  async thawGuest(vmId: string, freezeId: string | null, options: CallOptions): Promise<ThawedVm> {
    const client = await this.connect();
    return unary(client.thawGuest.bind(client), { vmId, freezeId: freezeId ?? '' }, options);
  }

  async readConsole(vmId: string, offset: number | null, maxBytes: number, options: CallOptions): Promise<ConsolePart> {
    const client = await this.connect();
    const request = { vmId, maxBytes, ...(offset === null ? {} : { offset }) };
    return unary(client.readConsole.bind(client), { offset: undefined, ...request }, options);
  }
}

function wirePower(wanted: WantedPower): { power: PowerState; graceMs: number; reset: boolean } {
  if (wanted.power === 'running') {
    return { power: PowerState.POWER_STATE_RUNNING, graceMs: 0, reset: wanted.reset ?? false };
  }
  if (wanted.power === 'paused') return { power: PowerState.POWER_STATE_PAUSED, graceMs: 0, reset: false };
  return { power: PowerState.POWER_STATE_STOPPED, graceMs: wanted.graceMs, reset: false };
}

const toWireSpec = (spec: AgentVmSpec): VmSpec => ({
  ...spec,
  accelerator: toWireAccelerator(spec.accelerator),
  balloon: spec.balloon ?? undefined,
  pooledVolumes: spec.pooledVolumes.map((volume) => ({ ...volume })),
  templateId: spec.templateId ?? undefined,
  cloudInit: spec.cloudInit === null ? undefined : { ...spec.cloudInit, userData: spec.cloudInit.userData ?? '' },
});

const wirePeers = (peers: readonly AgentPeer[]): PeerHost[] =>
  peers.map(({ certificateFingerprints, ...peer }) => ({
    ...peer,
    certificateFingerprints: [...certificateFingerprints],
  }));

const wirePermission = ({ certificateFingerprints, ...permission }: AgentPermission) => ({
  ...permission,
  certificateFingerprints: [...certificateFingerprints],
});
