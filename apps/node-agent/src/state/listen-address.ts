import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { replaceFile } from '@kvorum/host-storage';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import type { HostPort } from '../config.js';

const ListenFile = z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) });

/**
 * Where to listen. Port 0 means: any free one, picked once and kept, as the control plane remembers the address. If
 * somebody else has taken a kept port meanwhile, another is picked; reports carry the new address.
 */
export async function chooseListenAddress(stateDir: string, wanted: HostPort): Promise<HostPort> {
  if (wanted.port !== 0) return wanted;
  const path = join(stateDir, 'listen.json');
  const kept = await readKept(path);
  if (kept !== null && kept.host === wanted.host && (await freePort(kept)) !== null) return kept;
  const port = await freePort(wanted);
  if (port === null) throw new DomainError('host_fault', `no port can be bound on ${wanted.host}`);
  const chosen = { host: wanted.host, port };
  await replaceFile(path, `${JSON.stringify(chosen)}\n`);
  return chosen;
}

async function readKept(path: string): Promise<HostPort | null> {
  try {
    return ListenFile.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // None yet, or damaged: the file only saves the control plane from learning a new port.
    return null;
  }
}

/** The port that a bind to this address yields, or null if it fails. */
function freePort({ host, port }: HostPort): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : null));
    });
  });
}
