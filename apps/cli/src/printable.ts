/**
 * Text of others, safe for a terminal: control characters would move the cursor, recolour or retitle it. Line ends stay
 * where `keep` says so.
 */
export const printable = (text: string, keep: 'one line' | 'lines' = 'one line'): string =>
  keep === 'lines' ? text.replace(/[^\P{C}\n\t]/gu, '') : text.replace(/\p{C}+/gu, ' ');
