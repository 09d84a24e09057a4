import { describe, expect, it } from 'vitest';
import { errorOfAnswer } from './kvorum-error.js';

const answer = (status: number, body: string): Response => new Response(body, { status });

describe('the error of an answer', () => {
  it('carries everything the problem document says', async () => {
    const error = await errorOfAnswer(
      answer(
        400,
        JSON.stringify({
          type: '/v1/errors/invalid_request',
          title: 'invalid request',
          status: 400,
          detail: 'body.name: must be shorter',
          code: 'invalid_request',
          remedy: 'Correct the named field.',
          requestId: 'r-1',
          errors: [{ field: 'body.name', message: 'must be shorter' }],
          details: { lengthMax: 63 },
        }),
      ),
    );
    expect({ ...error, message: error.message }).toEqual({
      name: 'KvorumError',
      message: 'invalid_request: body.name: must be shorter',
      code: 'invalid_request',
      status: 400,
      detail: 'body.name: must be shorter',
      remedy: 'Correct the named field.',
      errors: [{ field: 'body.name', message: 'must be shorter' }],
      details: { lengthMax: 63 },
      requestId: 'r-1',
    });
  });

  it('keeps codes it does not know: the server may be newer', async () => {
    const error = await errorOfAnswer(answer(418, '{"code":"teapot","detail":"short and stout"}'));
    expect([error.code, error.status, error.remedy, error.requestId]).toEqual(['teapot', 418, '', null]);
  });

  it.each([
    ['a page of a proxy', '<html>Bad Gateway</html>'],
    ['nothing', ''],
    ['JSON of somebody else', '{"message":"no such route"}'],
    ['JSON that is no object', 'null'],
  ])('calls %s unexpected', async (_name, body) => {
    expect(await errorOfAnswer(answer(502, body))).toMatchObject({ code: 'unexpected_answer', status: 502 });
  });
});
