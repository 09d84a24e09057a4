import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ERROR_CODES } from '@kvorum/schema';
import openapiTypescript from 'openapi-typescript';
import { expect, it } from 'vitest';
import { openApiText } from '../src/openapi-text.js';
import { ALL_ROUTES } from '../src/routes/all-routes.js';

const FOLDER = join(import.meta.dirname, '../src/routes');
const COMMITTED = join(import.meta.dirname, '../../../packages/schema/openapi/openapi.json');

it('the committed document is what the routes say', async () => {
  // Compared as text: a difference is one that a reviewer sees too.
  expect(await readFile(COMMITTED, 'utf8')).toBe(await openApiText());
});

it('the document is valid OpenAPI and turns into types', async () => {
  const nodes = await openapiTypescript(await openApiText());
  expect(nodes.length).toBeGreaterThan(0);
});

it('every reference leads somewhere and every component is referred to', async () => {
  const text = await openApiText();
  const used = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]));
  expect([...used].sort()).toEqual(Object.keys(JSON.parse(text).components.schemas).sort());
});

it('no operation id is given twice, and every file of a route is mounted', async () => {
  const ids = ALL_ROUTES.map((route) => route.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const files = (await readdir(FOLDER, { recursive: true })).filter((file) => file.endsWith('.route.ts'));
  expect(files).toHaveLength(ALL_ROUTES.length);
  for (const file of files) {
    const source = await readFile(join(FOLDER, file), 'utf8');
    expect(source.match(/= define(Route|Stream|Socket|Download)\(/g), basename(file)).toHaveLength(1);
    expect(source.split('\n').length, `${file} is one screen`).toBeLessThanOrEqual(41);
  }
});

it('every example is a body that its route takes', () => {
  const examples = ALL_ROUTES.filter((route) => route.example !== undefined);
  expect(examples.length).toBeGreaterThan(5);
  for (const { example, body, operationId } of examples) {
    expect(body?.safeParse(example).error, operationId).toBeUndefined();
  }
});

it('every code a route may answer with is one of the catalogue, and each route that changes things has an example or takes no body', () => {
  for (const route of ALL_ROUTES) {
    for (const code of route.errors) expect(ERROR_CODES).toContain(code);
    if (route.body !== undefined) expect(route.example, route.operationId).toBeDefined();
  }
});
