export interface PostgresOptions {
  /** Folder of this server alone; made if absent. */
  readonly dataDir: string;
  /** 'disposable': no fsync, for tests. Default 'durable'. */
  readonly durability?: 'durable' | 'disposable';
  /** 'caller' (default): ends with the calling process, even if that is killed. 'own': until somebody stops it. */
  readonly lifetime?: 'caller' | 'own';
}

export interface PostgresServer {
  /** Superuser's URL of the database `postgres`; carries the password. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly isReused: boolean;
  stop(): Promise<void>;
  /** Stops it if it runs and starts it again on the same data; the same port unless somebody took it meanwhile. */
  restart(): Promise<void>;
}

export const startPostgres: (options: PostgresOptions) => Promise<PostgresServer>;
export const stopPostgres: (options: { readonly dataDir: string }) => Promise<boolean>;
export const removePostgres: (options: { readonly dataDir: string }) => void;
