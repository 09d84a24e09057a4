import { ensureGuestImage, type GuestImage, type GuestImageName } from '../../scripts/images/guest-image.mjs';

/**
 * A bootable qcow2, built on first use and then kept in .kvorum/cache.
 *   tiny         Linux with the QEMU guest agent; some 8 s to `KVORUM-GUEST-UP` under emulation with 128 MiB, then
 *                `KVORUM-UPTIME <seconds>` every 2 s; powers off when asked to
 *   boot-sector  512 bytes; 1 s to `KVORUM-GUEST-UP`, then `KVORUM-COUNT <hex>` twice a second; ignores the power button
 */
export const guestImage = (name: GuestImageName): Promise<GuestImage> => ensureGuestImage(name);
