import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { KvorumClient } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { AddVerb, Cli } from '../../cli.js';
import { examples } from '../../examples.js';
import { openProgress } from '../../progress-display.js';
import { usageError } from '../../usage-error.js';
import { describeImage } from './describe-image.js';
import { addNamingOptions, type NamingOptions, namingOf } from './naming-options.js';

export const addImageUpload: AddVerb = (image, cli) => {
  addNamingOptions(image.command('upload'))
    .description('Upload a disk image (qcow2, raw, vdi, vhdx, vhd); its checksum is made here and proven there')
    .argument('<file>', 'path of a self-contained disk image')
    .addHelpText('after', examples('kvorum image upload debian-13.qcow2 --name debian-13'))
    .action(async (path: string, options: NamingOptions) => {
      const client = cli.connect();
      const naming = await namingOf(client, options);
      const sha256 = await checksumOf(cli, path);
      const { id } = await client.images.create({ ...naming, sha256 });
      cli.show(await uploadOrForget(cli, client, id, path), describeImage);
    });
};

const PERCENT = 100;
const MILESTONE_PERCENT = 10;

async function checksumOf(cli: Cli, path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r').catch((error: { code?: unknown }) => {
    throw usageError(`${path} cannot be read (${String(error.code ?? error)})`, 'Check the path and its permissions.');
  });
  try {
    const { size } = await file.stat();
    await withByteProgress(cli, 'checksum', async (onProgress) => {
      let doneBytes = 0;
      for await (const chunk of file.createReadStream({ autoClose: false })) {
        hash.update(chunk as Buffer);
        doneBytes += (chunk as Buffer).byteLength;
        onProgress(doneBytes, size);
      }
    });
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** A row without content helps nobody and holds the name, so it goes when the upload fails. */
async function uploadOrForget(cli: Cli, client: KvorumClient, imageId: string, path: string) {
  try {
    return await cli.untilInterrupt('the upload was stopped; nothing was kept of it', (signal) =>
      withByteProgress(cli, 'upload', (onProgress) =>
        client.images.uploadContent(imageId, path, { onProgress, signal }),
      ),
    );
  } catch (error) {
    await client.images.delete(imageId).catch(() => undefined);
    throw error;
  }
}

async function withByteProgress<Result>(
  cli: Cli,
  title: string,
  run: (onProgress: (doneBytes: number, totalBytes: number | null) => void) => Promise<Result>,
): Promise<Result> {
  const display = openProgress(cli.io.stderr, title);
  try {
    return await run((doneBytes, totalBytes) => {
      const fraction = totalBytes === null || totalBytes === 0 ? 0 : Math.min(1, doneBytes / totalBytes);
      const percent = Math.floor(fraction * PERCENT);
      display.update({
        fraction,
        text: `${formatByteSize(doneBytes)} of ${formatByteSize(totalBytes)}`,
        milestone: String(Math.floor(percent / MILESTONE_PERCENT)),
      });
    });
  } finally {
    display.close();
  }
}
