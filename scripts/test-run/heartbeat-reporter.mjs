// Guests boot for seconds and crash tests repeat that. Where there is no terminal that shows it live, this reporter says every
// few seconds which files are at work, so that a log never falls silent and a hanging test has a name.
import path from 'node:path';

const HEARTBEAT_MS = 20_000;

export class HeartbeatReporter {
  #running = new Map();
  #timer = null;

  onTestRunStart() {
    const startedAt = Date.now();
    this.#timer = setInterval(() => {
      const names = [...this.#running].map(([file, since]) => `${file} (${Math.round((Date.now() - since) / 1000)} s)`);
      console.log(`… ${Math.round((Date.now() - startedAt) / 1000)} s: ${names.join(', ') || 'between files'}`);
    }, HEARTBEAT_MS);
  }

  onTestModuleStart(module) {
    this.#running.set(path.relative(process.cwd(), module.moduleId), Date.now());
  }

  onTestModuleEnd(module) {
    this.#running.delete(path.relative(process.cwd(), module.moduleId));
  }

  onTestRunEnd() {
    clearInterval(this.#timer);
  }
}

// vitest loads a reporter by its file's default export.
// biome-ignore lint/style/noDefaultExport: see above
export default HeartbeatReporter;
