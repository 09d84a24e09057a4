/** The part of cli-progress 3.12 that is used here; the package brings no types of its own. */
declare module 'cli-progress' {
  export interface Options {
    readonly stream: NodeJS.WritableStream;
    readonly format: string;
    readonly hideCursor: boolean;
    readonly clearOnComplete: boolean;
    readonly barsize: number;
  }
  export class SingleBar {
    constructor(options: Options);
    start(total: number, value: number, payload: Readonly<Record<string, string>>): void;
    update(value: number, payload: Readonly<Record<string, string>>): void;
    stop(): void;
  }
}
