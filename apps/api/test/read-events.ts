export interface SseMessage {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** A reader of server-sent events for tests: asks for what it waits for, within the test's own time limit. */
export interface EventReader {
  /** The place the stream begins at. */
  opened(): Promise<string>;
  /** The next messages. */
  take(count: number): Promise<SseMessage[]>;
  /** The next place that was told without an event, after `id`. */
  positionAfter(id: string): Promise<string>;
  heartbeat(): Promise<void>;
  /** Resolves when the server has ended the stream. */
  ended(): Promise<void>;
  close(): void;
}

export async function readEvents(url: string, headers: Record<string, string>): Promise<EventReader> {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  const blocks = blocksOf(response.body);
  const nextBlock = async (): Promise<string[]> => {
    const { value, done } = await blocks.next();
    if (done === true) throw new Error('the stream has ended');
    return value;
  };
  const until = async <Found>(find: (block: string[]) => Found | null): Promise<Found> => {
    for (;;) {
      const found = find(await nextBlock());
      if (found !== null) return found;
    }
  };
  const messageOf = (block: string[]): SseMessage | null => {
    const data = fieldOf(block, 'data');
    return data === null ? null : { id: fieldOf(block, 'id') ?? '', event: fieldOf(block, 'event') ?? '', data };
  };
  return {
    opened: () => until((block) => (block.includes(': position') ? fieldOf(block, 'id') : null)),
    take: async (count) => {
      const messages: SseMessage[] = [];
      while (messages.length < count) messages.push(await until(messageOf));
      return messages;
    },
    positionAfter: (id) =>
      until((block) => {
        const position = block.includes(': position') ? fieldOf(block, 'id') : null;
        return position !== null && position !== id ? position : null;
      }),
    heartbeat: () => until((block) => (block.includes(': heartbeat') ? undefined : null)).then(() => {}),
    ended: async () => {
      while (!(await blocks.next()).done);
    },
    close: () => {
      abort.abort();
      // Not waited for: a body that ended in the same moment never settles.
      void blocks.return(undefined).catch(() => {});
    },
  };
}

const fieldOf = (block: string[], name: string): string | null =>
  block.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;

async function* blocksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end).split('\n');
      text = text.slice(end + 2);
    }
  }
}
