import { startRedis as startServer } from '../../scripts/services/redis.mjs';
import { makeScratchFolder } from './scratch-folder.js';

/** A Redis of this test alone. It ends with the test process, even if that is killed. */
export const startRedis = async (): Promise<{ url: string; stop: () => Promise<void> }> => {
  const folder = makeScratchFolder();
  const server = await startServer({ dataDir: folder.path });
  return {
    url: server.url,
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
};
