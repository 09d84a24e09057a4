export const isPortFree: (port: number) => Promise<boolean>;
export const findFreePort: () => Promise<number>;
