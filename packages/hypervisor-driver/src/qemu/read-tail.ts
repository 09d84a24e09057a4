import { open } from 'node:fs/promises';

/** The last bytes of a file as text; empty when the file is not there. */
export async function readTail(path: string, bytesMax: number): Promise<string> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, bytesMax));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, Math.max(0, size - bytesMax));
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
