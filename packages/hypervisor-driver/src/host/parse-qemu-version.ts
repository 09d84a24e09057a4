/** "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)" -> "10.0.2"; null when it is not QEMU that spoke. */
export function parseQemuVersion(output: string): string | null {
  return /^QEMU emulator version (\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1] ?? null;
}

export const qemuMajor = (version: string): number => Number(version.split('.')[0]);
