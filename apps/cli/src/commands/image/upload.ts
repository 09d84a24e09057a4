import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type CreateImageBody, type KvorumClient, KvorumError } from '@kvorum/client';
import { InvalidArgumentError } from 'commander';
import { formatByteSize, parseByteSize } from '../../byte-size.js';
import type { AddVerb, Cli } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { openProgress } from '../../progress-display.js';
import { usageError } from '../../usage-error.js';
import { describeImage } from './describe-image.js';
import { addNamingOptions, type NamingOptions, namingOf } from './naming-options.js';

interface UploadOptions extends NamingOptions {
  readonly partSize: number;
}

/** Larger files go in parts of this size, so that a broken line costs at most as much. */
const PART_BYTES_DEFAULT = 64 * 1024 ** 2;

export const addImageUpload: AddVerb = (image, cli) => {
  addNamingOptions(image.command('upload'))
    .description('Upload a disk image (qcow2, raw, vdi, vhdx, vhd); its checksum is made here and proven there')
    .argument('<file>', 'path of a self-contained disk image')
    .option(
      '--part-size <size>',
      'a larger file is sent in parts of this size; what was cut off goes on when the same command is run again',
      parsePartSize,
      PART_BYTES_DEFAULT,
    )
    .addHelpText('after', examples('kvorum image upload debian-13.qcow2 --name debian-13'))
    .action(async (path: string, options: UploadOptions) => {
      const client = cli.connect();
      const naming = await namingOf(client, options);
      const { sha256, sizeBytes } = await checksumOf(cli, path);
      const upload = sizeBytes > options.partSize ? uploadInParts : uploadWhole;
      cli.show(await upload(cli, client, { path, partBytes: options.partSize }, { ...naming, sha256 }), describeImage);
    });
};

const PERCENT = 100;
const MILESTONE_PERCENT = 10;

interface LocalFile {
  readonly path: string;
  readonly partBytes: number;
}

function parsePartSize(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError('Give at least one byte.');
}

async function checksumOf(cli: Cli, path: string): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  const file = await open(path, 'r').catch((error: { code?: unknown }) => {
    throw usageError(`${path} cannot be read (${String(error.code ?? error)})`, 'Check the path and its permissions.');
  });
  try {
    const { size: sizeBytes } = await file.stat();
    await withByteProgress(cli, 'checksum', async (onProgress) => {
      let doneBytes = 0;
      for await (const chunk of file.createReadStream({ autoClose: false })) {
        hash.update(chunk as Buffer);
        doneBytes += (chunk as Buffer).byteLength;
        onProgress(doneBytes, sizeBytes);
      }
    });
    return { sha256: hash.digest('hex'), sizeBytes };
  } finally {
    await file.close();
  }
}

/** A row without content helps nobody and holds the name, so it goes when the upload fails. */
async function uploadWhole(cli: Cli, client: KvorumClient, { path }: LocalFile, body: CreateImageBody) {
  const { id } = await client.images.create(body);
  try {
    return await cli.untilInterrupt('the upload was stopped; nothing was kept of it', (signal) =>
      withByteProgress(cli, 'upload', (onProgress) => client.images.uploadContent(id, path, { onProgress, signal })),
    );
  } catch (error) {
    await client.images.delete(id).catch(() => undefined);
    throw error;
  }
}

const GO_ON = 'run the same command again to go on';

/** What arrived stays when the line breaks; what was refused goes. */
async function uploadInParts(cli: Cli, client: KvorumClient, { path, partBytes }: LocalFile, body: CreateImageBody) {
  const id = (await findBegun(client, body)) ?? (await client.images.create(body)).id;
  try {
    return await cli.untilInterrupt(`the upload was stopped; ${GO_ON}`, (signal) =>
      withByteProgress(cli, 'upload', (onProgress) =>
        client.images.uploadInParts(id, path, { partBytes, onProgress, signal }),
      ),
    );
  } catch (error) {
    if (error instanceof KvorumError && REFUSALS_OF_CONTENT.includes(error.code)) {
      await client.images.delete(id).catch(() => undefined);
    } else if (error instanceof KvorumError) cli.note(`what has arrived is kept for two days: ${GO_ON}`);
    throw error;
  }
}

const BEGUN: readonly string[] = ['uploading', 'failed'];
const REFUSALS_OF_CONTENT: readonly string[] = ['image_invalid', 'checksum_mismatch'];

/** The same file under the same name, of which not everything arrived, or for which there was no room when it had. */
async function findBegun(client: KvorumClient, { name, projectId, sha256 }: CreateImageBody): Promise<string | null> {
  const { items } = await client.images.list({ name, sha256, ...given({ projectId }) });
  return items.find(({ state, source }) => BEGUN.includes(state) && source.url === null)?.id ?? null;
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
