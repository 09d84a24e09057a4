/** `npm run test:planners` asks for every case by vitest's mode; the suite takes a share of them, for it must stay short. */
const { MODE } = (import.meta as { readonly env?: { readonly MODE?: string } }).env ?? {};

export const seeds = (counts: { readonly all: number; readonly share: number }): number[] =>
  Array.from({ length: MODE === 'every-case' ? counts.all : counts.share }, (_, seed) => seed);
