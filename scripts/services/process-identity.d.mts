export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}
export const startTimeOf: (pid: number) => number | null;
export const commandLineOf: (pid: number) => string[];
export const identityOf: (pid: number) => ProcessIdentity | null;
export const isAlive: (identity: ProcessIdentity) => boolean;
export const endProcess: (
  identity: ProcessIdentity,
  signals: readonly (readonly [NodeJS.Signals, number])[],
) => Promise<NodeJS.Signals | null>;
