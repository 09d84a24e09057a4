import type { ControlPlane } from '@kvorum/control-plane';
import type { AttemptLimiter } from '../attempt-limiter.js';
import type { HostTrust } from './host-trust.js';
import type { StreamRegistry } from './stream-registry.js';

/** What the RPCs of the gateway work with. */
export interface GatewayDeps {
  readonly cp: ControlPlane;
  readonly trust: HostTrust;
  readonly streams: StreamRegistry;
  /** Wrong join secrets, by address of the sender. */
  readonly joinAttempts: AttemptLimiter;
}
