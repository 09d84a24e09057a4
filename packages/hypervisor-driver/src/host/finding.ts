import type { HostFacts, HostHardware } from '@kvorum/schema';

/** One thing an operator should know: what it is, what that rests on, and what to do where something is to be done. */
export type Finding = HostFacts['findings'][number];

/** The facts that findings are derived from. */
export type FactsFound = Omit<HostFacts, 'findings' | 'hardware'> & { readonly hardware: HostHardware };
