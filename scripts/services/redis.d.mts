export interface RedisServer {
  /** redis://:<password>@127.0.0.1:<port> */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export const startRedis: (options: { readonly dataDir: string }) => Promise<RedisServer>;
