// Shows what is being done and for how long. On a terminal one line that lives; elsewhere a line now and then, so that a log
// never falls silent.
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const HEARTBEAT_MS = 3_000;
const DETAIL_PATTERN = /[\p{C}]/gu; // output of other programs may hold terminal control characters

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

const shorten = (text, width) => (text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text);

const clean = (text) => text.replaceAll(DETAIL_PATTERN, ' ').trim();

/** A line that is rewritten in place. */
const liveLine = (out, title, startedAt) => {
  let detail = '';
  let frame = 0;
  const draw = () => {
    frame = (frame + 1) % FRAMES.length;
    const text = `${FRAMES[frame]} ${title}  ${seconds(Date.now() - startedAt)}${detail && `  ${detail}`}`;
    out.write(`\r\x1b[2K${shorten(text, (out.columns ?? 80) - 1)}`);
  };
  const timer = setInterval(draw, FRAME_MS);
  draw();
  return {
    setDetail: (text) => {
      detail = clean(text);
    },
    clear: () => out.write('\r\x1b[2K'),
    end: (mark, suffix) => {
      clearInterval(timer);
      out.write(`\r\x1b[2K${mark} ${title}${suffix}\n`);
    },
  };
};

/** One line at the start, one every few seconds, one at the end. */
const plainLines = (out, title, startedAt) => {
  let detail = '';
  out.write(`· ${title}\n`);
  const timer = setInterval(() => {
    out.write(`  … ${title}  ${seconds(Date.now() - startedAt)}${detail && `  ${shorten(detail, 100)}`}\n`);
  }, HEARTBEAT_MS);
  return {
    setDetail: (text) => {
      detail = clean(text);
    },
    clear: () => {},
    end: (mark, suffix) => {
      clearInterval(timer);
      out.write(`${mark} ${title}${suffix}\n`);
    },
  };
};

/**
 * `step(title, run)` shows `title` while `run(report)` is at work; `report(text)` changes what is shown beside it. What run
 * returns is returned; if that is `{ note }`, the note is shown behind the title. `phases` collects [title, milliseconds].
 */
export const createProgress = (out = process.stdout) => {
  const phases = [];
  let line = null;
  const note = (text) => {
    line?.clear();
    out.write(`${text}\n`);
  };
  const step = async (title, run) => {
    const startedAt = Date.now();
    line = (out.isTTY ? liveLine : plainLines)(out, title, startedAt);
    try {
      const result = await run(line.setDetail);
      const tookMs = Date.now() - startedAt;
      phases.push([title, tookMs]);
      line.end('✓', `  ${seconds(tookMs)}${result?.note ? `  (${result.note})` : ''}`);
      return result;
    } catch (error) {
      line.end('✗', `  ${seconds(Date.now() - startedAt)}`);
      throw error;
    } finally {
      line = null;
    }
  };
  return { step, note, phases };
};

/** Two columns, numbers right-aligned. */
export const formatPhases = (phases) => {
  const width = Math.max(...phases.map(([title]) => title.length));
  return phases.map(([title, ms]) => `  ${title.padEnd(width)}  ${seconds(ms).padStart(8)}`).join('\n');
};
