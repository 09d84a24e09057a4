/** What a handler hands back. The status is the route's own, so that document and behaviour cannot differ. */
export interface Answer<Body> {
  readonly body: Body;
  /** Becomes the ETag. */
  readonly generation?: number;
  readonly location?: string;
  /** The answer to `?dryRun=plan`: 200, in the shape that the route names for it. */
  readonly isPlan?: true;
}

/** An answer with the object as it is now, and its generation as ETag. */
export const versioned = <Body extends { readonly generation: number }>(
  body: Body,
  location?: string,
): Answer<Body> => ({
  body,
  generation: body.generation,
  ...(location === undefined ? {} : { location }),
});

/** 202: the operation does the work; Location says where to watch it. */
export const accepted = <Body extends { readonly operation: { readonly id: string } }>(body: Body): Answer<Body> => ({
  body,
  location: `/v1/operations/${body.operation.id}`,
});

/** 204: done, and nothing to show. */
export const NOTHING_LEFT: Answer<null> = { body: null };

/** 200: what would be done; nothing was. */
export const planned = <Body>(body: Body): Answer<Body> => ({ body, isPlan: true });
