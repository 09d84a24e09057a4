import type {
  Accelerator,
  BalloonPolicy,
  BalloonStatus,
  CloudInit,
  ConsoleKind,
  GuestInterface,
  HostNetworks,
  ThawedVm,
  VmCondition,
  VmHardware,
  VmRunsOn,
} from '@kvorum/schema';
import type { CallOptions } from './call-options.js';
import type { AgentHostSweep } from './leftover-calls.js';
import type { PublishWatch } from './publish-watch.js';
import type { AgentPooledVolume, VolumePort } from './volume-port.js';

export type { CallOptions };

/**
 * What the control plane asks of one host's agent. Implemented by agent-client.ts over gRPC; every method maps to one RPC,
 * is idempotent, has a time limit, and throws DomainError (`host_unreachable`: the outcome is unknown, ask again).
 */
export interface AgentPort extends VolumePort {
  observeVm(vmId: string): Promise<ObservedVm | null>;
  /** Fetches the image into the host's cache, from `peers` if they give it; reports bytes as they come. */
  ensureImage(image: AgentImage, options: CallOptions & { onProgress?: (doneBytes: number) => void }): Promise<void>;
  ensureDisk(intent: Intent, disk: AgentDisk, options: CallOptions): Promise<void>;
  removeDisk(intent: Intent, volumeId: string, options: CallOptions): Promise<void>;
  /** All networks of the host, and none else. Throws stale_generation when the host has seen a higher revision. */
  ensureNetworks(revision: number, desired: HostNetworks, options: CallOptions): Promise<AgentNetworkFault[]>;
  ensureVm(intent: Intent, spec: AgentVmSpec, wanted: WantedPower, options: CallOptions): Promise<ObservedVm>;
  ensureBalloon(intent: Intent, targetBytes: number, options: CallOptions): Promise<number>;
  removeVm(intent: Intent, options: CallOptions): Promise<void>;
  /** Makes a template of the VM, or finds it made. Throws conflict_state for one that cannot be frozen. */
  freezeTemplate(intent: Intent, freeze: AgentFreezing, options: CallOptions): Promise<AgentTemplate>;
  /** It is not made again by a late request. Throws in_use while a disk rests on it. */
  removeTemplate(templateId: string, options: CallOptions): Promise<void>;
  /** Lets that host copy the VM, which cannot start meanwhile. Throws conflict_state while it runs. */
  offerVm(intent: Intent, permission: AgentPermission, options: CallOptions): Promise<void>;
  withdrawVmOffer(intent: Intent, options: CallOptions): Promise<void>;
  /** Copies the VM from the host that offers it, whole and checked; goes on from what is there. */
  receiveVm(
    intent: Intent,
    copy: AgentCopy,
    options: CallOptions & { onProgress?: (done: { doneBytes: number; totalBytes: number }) => void },
  ): Promise<ObservedVm>;
  /**
   * A local disk of a VM that does not run, as one qcow2 file: the content, once it was made. Throws conflict_state while it runs,
   * no_capacity, image_invalid for a disk that is not what the host has made it. What it sends is hostile.
   */
  publishDisk(intent: Intent, volumeId: string, options: CallOptions & PublishWatch): AsyncIterable<Uint8Array>;
  /** Lets that host read an image of the cache. Throws not_found if it is not there. */
  offerImage(sha256: string, permission: AgentPermission, options: CallOptions): Promise<void>;
  /** Puts data aside that belongs to nobody, and removes what carries none; `imageSha256s`: images that the site has. */
  sweepHost(
    request: { readonly orphanAgeMs: number; readonly imageSha256s: readonly string[] },
    options: CallOptions,
  ): Promise<AgentHostSweep>;
  /** Removes an entry of the host's quarantine for good. */
  removeLeftover(name: string, options: CallOptions): Promise<void>;
  /** Without a time limit: a session lasts until either side ends it. */
  openConsole(vmId: string, kind: ConsoleKind, backlogBytes: number): Promise<ConsoleStream>;
  takeScreenshot(vmId: string, options: CallOptions): Promise<Uint8Array>;
  runGuestCommand(vmId: string, command: AgentGuestCommand, options: CallOptions): Promise<AgentGuestCommandResult>;
  freezeGuest(vmId: string, durationMs: number, options: CallOptions): Promise<AgentFreeze>;
  thawGuest(vmId: string, freezeId: string | null, options: CallOptions): Promise<ThawedVm>;
  readConsole(vmId: string, offset: number | null, maxBytes: number, options: CallOptions): Promise<ConsolePart>;
}

/** An open session with a console. `close` may be called at any time, and is due in any case. */
export interface ConsoleStream {
  /** Ends with the session. Pulled: whoever reads slowly slows the sender down. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves when there is room for more. */
  write(data: Uint8Array): Promise<void>;
  close(): void;
  /** Once `output` has ended: why. */
  readonly endReason: string;
}

export interface AgentGuestCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly input: Uint8Array;
  readonly timeoutMs: number;
}

export interface AgentGuestCommandResult {
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly isTruncated: boolean;
  readonly hasTimedOut: boolean;
}

export interface AgentFreeze {
  readonly freezeId: string;
  readonly fileSystemCount: number;
  readonly thawsAtMs: number;
}

/** Connections to agents, by host. Closing ends all of them. */
export interface AgentDirectory {
  agentOf(host: { id: string; address: string }): AgentPort;
  close(): Promise<void>;
}

/** See the Intent message of node_agent.proto. */
export interface Intent {
  readonly vmId: string;
  readonly generation: number;
  readonly fencingToken: number;
  readonly epoch: number;
  readonly operationId: string;
}

export interface AgentImage {
  readonly imageId: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Hosts that have offered it. */
  readonly peers?: readonly AgentPeer[];
}

/** Another host, as an agent is told of it. */
export interface AgentPeer {
  readonly hostId: string;
  readonly address: string;
  /** SHA-256 of the certificates that it may show. */
  readonly certificateFingerprints: readonly string[];
}

/** For one host, for so long. */
export interface AgentPermission {
  readonly targetHostId: string;
  readonly certificateFingerprints: readonly string[];
  readonly validForMs: number;
}

/** What of a VM a host is to copy from another. */
export interface AgentCopy {
  readonly spec: AgentVmSpec;
  readonly volumes: readonly {
    readonly volumeId: string;
    /** At most. */
    readonly sizeBytes: number;
    readonly imageSha256: string | null;
  }[];
  readonly source: AgentPeer;
}

/** A network of a host that is not as it is to be, and why. */
export interface AgentNetworkFault {
  readonly networkId: string;
  readonly message: string;
}

export interface AgentFreezing {
  readonly templateId: string;
  /** The VM stands still afterwards. */
  readonly isLast: boolean;
}

export type AgentTemplate = { readonly occupiedBytes: number; readonly rootDiskBytes: number };

export interface AgentDisk {
  readonly volumeId: string;
  readonly sizeBytes: number;
  /** Null: an empty disk. */
  readonly imageId: string | null;
  readonly imageSha256: string | null;
  /** It rests on the disk of that template of its host, and on no image. Left out: on none. */
  readonly templateId?: string | null;
}

export interface AgentVmSpec {
  readonly name: string;
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly accelerator: Accelerator;
  readonly rootVolumeId: string;
  /** Null: the VM keeps all its memory. */
  readonly balloon: BalloonPolicy | null;
  readonly hardware: VmHardware;
  /** Those of its disks that lie on pools. */
  readonly pooledVolumes: readonly AgentPooledVolume[];
  /** Null: the VM has no seed disk. */
  readonly cloudInit: CloudInit | null;
  /** Its first start goes on where that template of its host stood still; null: it boots. */
  readonly templateId: string | null;
}

export type WantedPower =
  | { readonly power: 'running'; readonly reset?: boolean }
  | { readonly power: 'paused' }
  | { readonly power: 'stopped'; readonly graceMs: number };

export interface ObservedVm {
  readonly vmId: string;
  readonly epoch: number;
  readonly generation: number;
  /** `unknown`: the agent could not find out; `conditions` says why. */
  readonly power: 'running' | 'paused' | 'stopped' | 'unknown';
  readonly exitReason: 'guest-shutdown' | 'requested' | 'crash' | 'out-of-memory' | null;
  readonly exitDetail: string;
  readonly guestAgent: 'unknown' | 'absent' | 'responding';
  readonly guestAgentAnsweredAt: Date | null;
  readonly guestInterfaces: readonly GuestInterface[] | null;
  readonly balloonBytes: number | null;
  readonly balloonStatus: BalloonStatus | null;
  readonly workingSetBytes: number | null;
  readonly accelerator: Accelerator | null;
  /** Null: not started yet. */
  readonly machineType: string | null;
  readonly reportGeneration: number;
  readonly conditions: readonly VmCondition[];
  readonly runsOn: VmRunsOn | null;
}

export interface ConsolePart {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly sizeBytes: number;
}
