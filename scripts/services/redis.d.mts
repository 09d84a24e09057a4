export interface RedisServer {
  /** redis://:<password>@127.0.0.1:<port> */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
  /** Stops it and starts it again, empty, at the same address. */
  restart(): Promise<void>;
}

export const startRedis: (options: { readonly dataDir: string }) => Promise<RedisServer>;
