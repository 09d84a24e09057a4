import type { ConsoleKind, CreateVmBody, IssuedConsoleToken, RunGuestCommandBody, VmsQuery } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';
import { vmMoveCalls } from './vm-moves.js';
import { vmPublishCalls } from './vm-publishing.js';
import { vmUpdateCalls } from './vm-updates.js';

export interface StopOptions extends MutationOptions {
  /** How long the guest may take to shut down before it is stopped hard, in ms; 0: at once. Default: the server's. */
  readonly graceMs?: number;
}

/** Requests that take no body. */
export type VmPress = 'start' | 'reset' | 'pause' | 'resume';

export const vmCalls = ({ api, bodyOf, fetch, urlOf }: Transport) => ({
  ...vmUpdateCalls({ api, bodyOf }),
  ...vmMoveCalls({ api, bodyOf }),
  ...vmPublishCalls({ api, bodyOf }),
  list: (query: VmsQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/vms', { params: { query }, ...initOf(options) }), options),
  get: (vmId: string, options?: CallOptions) =>
    bodyOf(api.GET('/v1/vms/{vmId}', { params: { path: { vmId } }, ...initOf(options) }), options),
  create: (body: CreateVmBody, options?: MutationOptions) =>
    bodyOf(api.POST('/v1/vms', { body, ...initOf(options) }), options),
  press: (vmId: string, button: VmPress, options?: MutationOptions) =>
    bodyOf(api.POST(`/v1/vms/{vmId}/${button}`, { params: { path: { vmId } }, ...initOf(options) }), options),
  stop: (vmId: string, options?: StopOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/stop', { params: { path: { vmId } }, body: graceOf(options), ...initOf(options) }),
      options,
    ),
  reboot: (vmId: string, options?: StopOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/reboot', { params: { path: { vmId } }, body: graceOf(options), ...initOf(options) }),
      options,
    ),
  delete: (vmId: string, options?: MutationOptions) =>
    bodyOf(api.DELETE('/v1/vms/{vmId}', { params: { path: { vmId } }, ...initOf(options) }), options),
  /** A permission to open one console once, within a minute. */
  createConsoleToken: (vmId: string, kind: ConsoleKind, options?: CallOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/console-tokens', { params: { path: { vmId } }, body: { kind }, ...initOf(options) }),
      options,
    ),
  /** Where to open the WebSocket that a console token is for. Holds the token: not for logs. */
  consoleUrl: (issued: IssuedConsoleToken, backlogBytes?: number): string =>
    urlOf(issued.path, { token: issued.token, backlogBytes: backlogBytes?.toString() }).replace(/^http/, 'ws'),
  /** The screen as a PNG file. */
  takeScreenshot: async (vmId: string, options?: CallOptions): Promise<Uint8Array> => {
    const init = { params: { path: { vmId } }, parseAs: 'arrayBuffer' as const, ...initOf(options) };
    return new Uint8Array(await bodyOf(api.GET('/v1/vms/{vmId}/screenshot', init), options));
  },
  /** Runs a program in the guest to its end. One attempt, and no time limit but the one asked for: asked twice, it runs twice. */
  exec: (vmId: string, body: RunGuestCommandBody, options?: CallOptions) =>
    bodyOf(api.POST('/v1/vms/{vmId}/exec', { params: { path: { vmId } }, body, fetch, ...initOf(options) }), options),
  freeze: (vmId: string, durationMs?: number, options?: CallOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/freeze', {
        params: { path: { vmId } },
        body: durationMs === undefined ? {} : { durationMs },
        fetch,
        ...initOf(options),
      }),
      options,
    ),
  thaw: (vmId: string, freezeId?: string, options?: CallOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/thaw', {
        params: { path: { vmId } },
        body: freezeId === undefined ? {} : { freezeId },
        ...initOf(options),
      }),
      options,
    ),
  /** A part of the console log from byte `offset`; null: the last part. */
  readConsole: (vmId: string, offset: number | null, options?: CallOptions) =>
    bodyOf(
      api.GET('/v1/vms/{vmId}/console', {
        params: { path: { vmId }, query: offset === null ? {} : { offset } },
        ...initOf(options),
      }),
      options,
    ),
});

const graceOf = (options?: StopOptions): { graceMs?: number } =>
  options?.graceMs === undefined ? {} : { graceMs: options.graceMs };
