/** Where images come from. */
export interface ImageSource {
  /** The bytes of an image from its beginning, in order. Throws DomainError when the source fails. */
  read(imageId: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
