export function ensureNullDevice(file?: string): string | null;
