import type { WatchdogAction } from '@kvorum/schema';

/**
 * What befell a device of the VM, or the agent's way to it, while it ran.
 *   watchdog-expired  the guest stopped feeding its watchdog, and the action was taken
 *   tpm-lost          the process that emulates the TPM ended; only a restart of the VM gives it one again
 *   monitor-socket-lost  somebody removed the socket of its monitor; the open connection goes on
 */
export type DeviceEvent =
  | { readonly kind: 'watchdog-expired'; readonly action: Exclude<WatchdogAction, 'none'> }
  | { readonly kind: 'tpm-lost' | 'monitor-socket-lost'; readonly detail: string };

/** Tells listeners of events, also those that happened before they came: an agent asks once it holds the VM. */
export class DeviceEvents {
  readonly #listeners = new Set<(event: DeviceEvent) => void>();
  readonly #past = new Map<DeviceEvent['kind'], DeviceEvent>();

  tell(event: DeviceEvent): void {
    this.#past.set(event.kind, event);
    for (const listener of this.#listeners) listener(event);
  }

  has(kind: DeviceEvent['kind']): boolean {
    return this.#past.has(kind);
  }

  /** Returns the function that takes the listener off again. */
  listen(listener: (event: DeviceEvent) => void): () => void {
    this.#listeners.add(listener);
    for (const event of this.#past.values()) listener(event);
    return () => this.#listeners.delete(listener);
  }
}
