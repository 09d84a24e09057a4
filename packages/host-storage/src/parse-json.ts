/** Undefined for what is no JSON: shapes refuse that like anything else that they do not know. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
