/** Shown to operators beside the host; the same number as in package.json (a test compares them). */
export const AGENT_VERSION = '0.1.0';
