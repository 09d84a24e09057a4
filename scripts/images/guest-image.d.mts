export interface GuestImage {
  readonly path: string;
  readonly sha256: string;
  readonly isCached: boolean;
}
export type GuestImageName = 'tiny' | 'boot-sector' | 'debian';
export const QUICK_IMAGE_NAMES: readonly GuestImageName[];
export const IMAGE_CACHE_DIR: string;
export const findGuestImage: (name: GuestImageName) => GuestImage | null;
export const ensureGuestImage: (
  name: GuestImageName,
  options?: { readonly report?: (message: string) => void },
) => Promise<GuestImage>;
