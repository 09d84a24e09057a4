import type { Readable } from 'node:stream';

/** The files of images, `<dataDir>/images/<imageId>.qcow2`. A file under its final name is whole and checked. */
export interface ImageStore {
  /** Takes content in and checks it. Throws image_invalid, checksum_mismatch, payload_too_large; then nothing is left. */
  receive(imageId: string, content: Readable, wanted: WantedContent): Promise<ImageFacts>;
  /** As `receive`, from a plain file of the import folder. Throws not_found, invalid_request. */
  importFile(imageId: string, fileName: string, wanted: WantedContent): Promise<ImageFacts>;
  /** The content from `offset` on, in parts of at most READ_BYTES_MAX. Throws not_found. */
  read(imageId: string, offset: number): AsyncIterable<Uint8Array>;
  /** No error if it is not there. */
  remove(imageId: string): Promise<void>;
}

export interface WantedContent {
  readonly sha256: string;
  /** As the sender announced it; null: unknown. */
  readonly contentLength: number | null;
}

export interface ImageFacts {
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
}
