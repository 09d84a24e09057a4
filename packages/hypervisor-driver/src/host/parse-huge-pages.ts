/** Page size in KiB of a folder such as "hugepages-2048kB" (Documentation/admin-guide/mm/hugetlbpage.rst), or null. */
export function parseHugePageSize(folderName: string): string | null {
  return /^hugepages-(\d+)kB$/.exec(folderName)?.[1] ?? null;
}

/** A count file of sysfs: digits and a newline. Null for anything else. */
export function parseCount(text: string): number | null {
  return /^\d+\n?$/.test(text) ? Number(text) : null;
}
