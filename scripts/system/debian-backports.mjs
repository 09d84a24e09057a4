// Adds a Debian release's official backports to apt, from the same mirror the machine uses for the release itself.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const APT_DIR = '/etc/apt';
const ADDED_NAME = 'kvorum-backports.sources';

const field = (stanza, name) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'mi').exec(stanza)?.[1]?.trim();

/** deb822 (sources.list(5)): stanzas of `Field: value`, parted by empty lines; lines with # are comments. */
const parseStanzas = (text) => {
  const uncommented = text.replaceAll(/^#.*\n?/gm, '');
  return uncommented
    .split(/\n\s*\n/)
    .filter((stanza) => field(stanza, 'URIs') && (field(stanza, 'Enabled') ?? 'yes') !== 'no')
    .map((stanza) => ({
      types: field(stanza, 'Types')?.split(/\s+/) ?? [],
      uris: field(stanza, 'URIs').split(/\s+/),
      suites: field(stanza, 'Suites')?.split(/\s+/) ?? [],
      components: field(stanza, 'Components')?.split(/\s+/) ?? [],
      // A key may also be embedded over several lines; a file's path never is.
      signedBy: field(stanza, 'Signed-By')?.startsWith('/') ? field(stanza, 'Signed-By') : undefined,
    }));
};

/** The older form: `deb [options] uri suite component...` */
const parseLines = (text) =>
  [...text.matchAll(/^\s*(deb(?:-src)?)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#\n]*)/gm)].map((match) => ({
    types: [match[1]],
    uris: [match[3]],
    suites: [match[4]],
    components: match[5].trim().split(/\s+/),
    signedBy: /signed-by=(\/\S+)/.exec(match[2] ?? '')?.[1],
  }));

/** All binary sources apt reads below `aptDir`. */
export const readAptSources = (aptDir = APT_DIR) => {
  const partsDir = path.join(aptDir, 'sources.list.d');
  const parts = existsSync(partsDir) ? readdirSync(partsDir).map((name) => path.join(partsDir, name)) : [];
  const sources = [path.join(aptDir, 'sources.list'), ...parts].filter(existsSync).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return file.endsWith('.sources') ? parseStanzas(text) : file.endsWith('.list') ? parseLines(text) : [];
  });
  return sources.filter((source) => source.types.includes('deb'));
};

/**
 * Makes sure that apt knows `suite` ("bookworm-backports"). Returns null if it does already, else { file, text } of what was
 * added. Throws when the machine has no source of the release to take the mirror from.
 */
export const addBackports = (suite, aptDir = APT_DIR) => {
  const sources = readAptSources(aptDir);
  if (sources.some((source) => source.suites.includes(suite) && source.components.includes('main'))) return null;
  const release = suite.replace(/-backports$/, '');
  const base = sources.find((source) => source.suites.includes(release) && source.components.includes('main'));
  if (!base) {
    throw new Error(
      `apt has no source for ${release} main, so the mirror for ${suite} is not known. Add it yourself, for example:\n` +
        `  echo 'deb http://deb.debian.org/debian ${suite} main' > /etc/apt/sources.list.d/backports.list`,
    );
  }
  const lines = [
    '# QEMU for Kvorum. Backports are used only for packages asked for by name.',
    'Types: deb',
    `URIs: ${base.uris[0]}`,
  ];
  lines.push(`Suites: ${suite}`, 'Components: main', ...(base.signedBy ? [`Signed-By: ${base.signedBy}`] : []));
  const file = path.join(aptDir, 'sources.list.d', ADDED_NAME);
  const text = `${lines.join('\n')}\n`;
  writeFileSync(file, text, { mode: 0o644 });
  return { file, text };
};
