/** Of a disk that becomes a file and is sent. */
export interface PublishWatch {
  /** Of the work of making the file, 0 to 1. */
  readonly onMade: (fraction: number) => void;
  /** Before the first part of the content. */
  readonly onSize: (totalBytes: number) => void;
}
