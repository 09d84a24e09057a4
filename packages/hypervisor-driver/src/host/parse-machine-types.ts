import { isMachineType, MACHINE_TYPE_COUNT_MAX } from '@kvorum/schema';

export interface MachineTypes {
  /** What "q35" stands for; null: QEMU does not say. */
  readonly newest: string | null;
  /** All versions of q35, newest first. */
  readonly all: readonly string[];
}

/** Reads the output of `qemu-system-x86_64 -machine help`. */
export function parseMachineTypes(help: string): MachineTypes {
  const alias = /^q35\s.*\(alias of (\S+)\)/m.exec(help)?.[1];
  const named = help.split('\n').map((line) => line.split(/\s/, 1)[0] ?? '');
  return {
    newest: alias !== undefined && isMachineType(alias) ? alias : null,
    all: [...new Set(named.filter(isMachineType))].sort(newestFirst).slice(0, MACHINE_TYPE_COUNT_MAX),
  };
}

/** pc-q35-10.0 is newer than pc-q35-9.2, and pc-q35-4.0.1 than pc-q35-4.0. */
const newestFirst = (left: string, right: string): number => right.localeCompare(left, 'en', { numeric: true });
