import type { CreateVmBody, VmsQuery } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export interface StopOptions extends MutationOptions {
  /** How long the guest may take to shut down before it is stopped hard, in ms; 0: at once. Default: the server's. */
  readonly graceMs?: number;
}

/** Requests that take no body. */
export type VmPress = 'start' | 'reset' | 'pause' | 'resume';

export const vmCalls = ({ api, bodyOf }: Transport) => ({
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
