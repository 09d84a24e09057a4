export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface Rest {
  readonly url: string;
  readonly token: string;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  /** Like send, and fails with the whole answer unless the status is the expected one. */
  expect(
    status: number,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<ApiAnswer>;
}

/** REST by hand: what goes over the wire here is what the documentation says, not what our own client makes of it. */
export function restOf(url: string, token: string): Rest {
  const send: Rest['send'] = async (method, path, body, headers = {}) => {
    const isBinary = body instanceof Uint8Array;
    const answer = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': isBinary ? 'application/octet-stream' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isBinary ? new Uint8Array(body) : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) };
  };
  return {
    url,
    token,
    send,
    expect: async (status, method, path, body, headers) => {
      const answer = await send(method, path, body, headers);
      if (answer.status !== status) {
        throw new Error(`${method} ${path}: ${answer.status}, not ${status}: ${JSON.stringify(answer.body)}`);
      }
      return answer;
    },
  };
}
