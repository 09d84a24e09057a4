/** Versioned q35: "q35" alone means another machine with each release of QEMU. */
const VERSIONED = /^pc-q35-\d{1,3}(\.\d{1,3}){1,2}$/;

export const isMachineType = (text: string): boolean => VERSIONED.test(text);

/** What "q35" stands for in the output of `qemu-system-x86_64 -machine help`; null when it does not say. */
export function parseMachineType(help: string): string | null {
  const alias = /^q35\s.*\(alias of (\S+)\)/m.exec(help)?.[1];
  return alias !== undefined && isMachineType(alias) ? alias : null;
}
