export interface DiskSpec {
  readonly path: string;
  readonly sizeBytes: number;
  /** Null: an empty disk. */
  readonly imagePath: string | null;
  /** What that is; left out: an image. */
  readonly base?: 'image' | 'template';
}

export interface AdoptedDisk {
  /** On the file system of `path`. */
  readonly file: string;
  readonly path: string;
  /** The file's name is that of the image it came with. Null: it is to have none. */
  readonly imagePath: string | null;
  readonly sizeBytesMax: number;
}

export interface FlattenedDisk {
  readonly path: string;
  /** What it rests on: an image or a template's disk. Null: nothing. */
  readonly imagePath: string | null;
  readonly sizeBytesMax: number;
  readonly target: string;
}

export interface FlattenWatch {
  readonly signal: AbortSignal;
  /** Of the work, 0 to 1. */
  readonly onProgress: (fraction: number) => void;
}
