import { KvorumError } from '@kvorum/client';

/** A request that cannot even be sent: what was given contradicts itself, or names nothing. */
export const usageError = (detail: string, remedy: string): KvorumError =>
  new KvorumError({ code: 'invalid_request', status: null, detail, remedy });
