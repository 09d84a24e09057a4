/**
 * Text from guests and hosts is hostile: escape sequences would act on the terminal of whoever reads it (ECMA-48), and
 * PostgreSQL refuses NUL and lone surrogates in jsonb.
 */

/** Control characters, format characters and lone surrogates; `\p{Cf}` holds the ones that turn text around. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}]/gu;
const UNSAFE_BUT_LINES = /[^\P{Cc}\n\t]|[\p{Cf}\p{Cs}]/gu;

/**
 * Escape sequences as terminals know them (ECMA-48 section 5.4 and xterm's "Control Sequences"): CSI with parameters and
 * final byte; OSC, DCS, APC, PM and SOS up to their terminator; and any other escape of two or three characters. A sequence
 * without end runs to the end of its line. No nested repetition: time grows with the length alone.
 */
const ESCAPE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\)?|\x1b[ -/]*[0-~]?/g;

/** One line of plain text, at most `lengthMax` characters. */
export const cleanLine = (text: string, lengthMax: number): string =>
  text.slice(0, lengthMax).replace(ESCAPE, '').replace(UNSAFE, ' ').trim();

/** Plain text with its line ends and tabs, and nothing else that is not printed. */
export const cleanLines = (text: string): string =>
  text.replace(ESCAPE, '').replaceAll('\r\n', '\n').replace(UNSAFE_BUT_LINES, '');
