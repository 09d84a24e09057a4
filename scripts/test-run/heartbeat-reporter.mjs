// Guests boot for seconds and crash tests repeat that. Where there is no terminal that shows it live, this reporter says every
// few seconds which files are at work, so that a log never falls silent and a hanging test has a name. It also leaves word of
// errors outside any test, which vitest's results in JSON do not hold.
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const HEARTBEAT_MS = 20_000;

export class HeartbeatReporter {
  #running = new Map();
  #timer = null;

  onTestRunStart() {
    if (process.stdout.isTTY) return;
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

  onTestRunEnd(_modules, unhandledErrors) {
    clearInterval(this.#timer);
    const file = process.env['KVORUM_UNHANDLED_ERRORS_FILE'];
    if (file !== undefined && unhandledErrors.length > 0) writeFileSync(file, JSON.stringify(unhandledErrors));
  }
}

// vitest loads a reporter by its file's default export.
// biome-ignore lint/style/noDefaultExport: see above
export default HeartbeatReporter;
