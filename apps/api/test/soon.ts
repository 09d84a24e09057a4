/** For `expect.poll`: generous, for machines that do other things too; it costs nothing when the condition holds. */
export const SOON = { timeout: 20_000, interval: 20 };
