export type { Actor, ControlPlane, ControlPlaneConfig, Idempotency, Logger } from './control-plane.js';
