-- Thin pools of LVM, each of one host.
ALTER TABLE storage_pools
  DROP CONSTRAINT storage_pools_driver_check,
  DROP CONSTRAINT storage_pools_check,
  ADD CONSTRAINT storage_pools_driver_check CHECK (driver IN ('dir', 'shared-dir', 'rbd', 'lvm-thin')),
  ADD CONSTRAINT storage_pools_check CHECK ((driver IN ('dir', 'lvm-thin')) = (host_id IS NOT NULL));
