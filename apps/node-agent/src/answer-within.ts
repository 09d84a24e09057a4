/** The answer, or null when it takes longer; it is then nobody's any more, so it must not reject. */
export async function answerWithin<Answer>(answer: Promise<Answer>, timeoutMs: number): Promise<Answer | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
