/**
 * Somebody else works on the operation now, or may. Whoever holds the old token stops at once and writes nothing more:
 * not an operating failure that is stored or shown, only the way out of the runner.
 */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor(operationId: string) {
    super(`the lease on operation ${operationId} is lost`);
  }
}

/** This process is asked to end: the lease is given up, so that another worker goes on at once. */
export class WorkerClosing extends Error {
  override readonly name = 'WorkerClosing';

  constructor() {
    super('the worker is closing');
  }
}
