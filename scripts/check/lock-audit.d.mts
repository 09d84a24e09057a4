interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
export const auditLock: (packages: Readonly<Record<string, LockedPackage>>) => string[];
export const readLockedPackages: () => Record<string, LockedPackage>;
