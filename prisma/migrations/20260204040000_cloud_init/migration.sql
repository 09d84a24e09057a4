-- Who the guest of a VM is: instance id, host name, keys, and which user data. Null: the VM has no seed disk.
ALTER TABLE vms ADD COLUMN cloud_init jsonb;

-- User data may hold passwords: sealed with the site's key, which is not in the database. Rows are written once, and removed when
-- neither what the VM is nor what it is to become names them.
CREATE TABLE vm_user_data (
  id uuid PRIMARY KEY,
  vm_id uuid NOT NULL REFERENCES vms (id),
  sealed bytea NOT NULL
);
CREATE INDEX vm_user_data_vm ON vm_user_data (vm_id);
