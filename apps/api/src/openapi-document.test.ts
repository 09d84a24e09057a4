import { describe, expect, it } from 'vitest';
import { type OpenApiDocument, tidyDocument } from './openapi-document.js';

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const documentOf = (body: string, answer: string, schemas: Record<string, unknown>): OpenApiDocument =>
  ({
    openapi: '3.1.0',
    info: {},
    paths: {
      '/x': {
        post: {
          operationId: 'x',
          tags: [],
          requestBody: { required: true, content: { 'application/json': { schema: ref(body) } } },
          responses: { 200: { description: '', content: { 'application/json': { schema: ref(answer) } } } },
          'x-minimal-role': 'viewer',
          'x-optional-body': true,
          'x-body-example': { a: 1 },
          'x-answer-headers': ['etag'],
        },
      },
    },
    components: { schemas },
  }) as unknown as OpenApiDocument;

describe('tidying the document', () => {
  it('gives a shape that is only taken its plain name', () => {
    const tidy = tidyDocument(
      documentOf('AInput', 'B', { A: { title: 'out' }, AInput: { title: 'in' }, B: {}, BInput: {} }),
    );
    expect(tidy.components.schemas).toEqual({ A: { title: 'in' }, B: {} });
    expect(JSON.stringify(tidy.paths)).not.toContain('AInput');
  });

  it('folds equal twins into one and keeps different ones apart', () => {
    const inner = { type: 'string' };
    const equal = documentOf('AInput', 'A', {
      A: { items: ref('B') },
      AInput: { items: ref('BInput') },
      B: inner,
      BInput: inner,
    });
    expect(tidyDocument(equal).components.schemas).toEqual({ A: { items: ref('B') }, B: inner });
    const different = documentOf('AInput', 'A', { A: { type: 'string' }, AInput: { type: 'number' } });
    expect(Object.keys(tidyDocument(different).components.schemas)).toEqual(['A', 'AInput']);
  });

  it('works in optional bodies, examples and headers, and leaves no trace of how', () => {
    const call = tidyDocument(documentOf('A', 'A', { A: {} })).paths['/x']?.['post'];
    expect(call?.requestBody).toEqual({
      required: false,
      content: { 'application/json': { schema: ref('A'), example: { a: 1 } } },
    });
    expect(Object.keys(call?.responses['200']?.headers ?? {})).toEqual(['etag']);
    expect(Object.keys(call ?? {}).filter((key) => key.startsWith('x-'))).toEqual(['x-minimal-role']);
  });

  it('leaves out patterns where a format says the same', () => {
    const tidy = tidyDocument(documentOf('A', 'A', { A: { properties: { id: { format: 'uuid', pattern: '^x$' } } } }));
    expect(tidy.components.schemas['A']).toEqual({ properties: { id: { format: 'uuid' } } });
  });
});
