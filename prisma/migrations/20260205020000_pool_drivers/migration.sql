-- Pools in Ceph.
ALTER TABLE storage_pools DROP CONSTRAINT storage_pools_driver_check;
ALTER TABLE storage_pools ADD CONSTRAINT storage_pools_driver_check CHECK (driver IN ('dir', 'shared-dir', 'rbd'));
