/**
 * QEMU's option strings separate by comma and take a doubled comma as a literal one (util/qemu-option.c, util/keyval.c).
 * Nothing else is special in a value; control characters were refused before (run-folder.ts).
 */
export const escapeOption = (value: string): string => value.replaceAll(',', ',,');

/** `options('socket', { id: 'monitor', wait: 'off' })` -> "socket,id=monitor,wait=off". Keys are our own constants. */
export function options(head: string, values: Readonly<Record<string, string | number>>): string {
  return [escapeOption(head), ...pairs(values)].join(',');
}

export function pairs(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).map(([key, value]) => `${key}=${escapeOption(String(value))}`);
}
