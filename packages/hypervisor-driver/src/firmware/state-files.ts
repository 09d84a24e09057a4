import { VARIABLE_STORES } from './ovmf.js';
import { TPM_STATE_FILE } from './swtpm.js';

/** What of a VM's firmware outlives its process: all that FirmwareState.folder can hold, relative to it. */
export const FIRMWARE_STATE_FILES: readonly string[] = [...VARIABLE_STORES, TPM_STATE_FILE];
