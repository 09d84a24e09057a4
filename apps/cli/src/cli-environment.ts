/** What main.ts has read from the environment. */
export interface CliEnvironment {
  /** KVORUM_URL; goes before the stored login. */
  readonly url: string | undefined;
  /** KVORUM_TOKEN_FILE; goes before the stored login. */
  readonly tokenFile: string | undefined;
  /** Where the login is stored. */
  readonly loginFile: string;
  /** NO_COLOR (no-color.org). */
  readonly isColourless: boolean;
}
