import type { PeerHost } from '../trust/host-peer-client.js';

export interface WantedImage {
  readonly imageId: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Hosts that have offered it to this one. */
  readonly peers: readonly PeerHost[];
}

/** Where an image comes from. */
export interface ImageSource {
  /** For the log. */
  readonly name: string;
  /** The bytes of the image from its beginning, in order. Throws DomainError when the source fails. */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Where one image may come from, the first one first; one at least. */
export type SourcesOf = (image: WantedImage) => readonly ImageSource[];
