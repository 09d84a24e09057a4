-- What a VM shall be from its next start on, whole (VmShape of control-plane/src/vm/vm-shape.ts): the columns beside it say
-- what it is now. Null: nothing waits. What the VM holds of quota and host is the larger of both.
ALTER TABLE vms
  ADD COLUMN next_shape jsonb CHECK (jsonb_typeof(next_shape) = 'object'),
  -- Memory of the running machine when it was started: what was added since is what can be taken away. Null: it was last
  -- started before this was kept, with memory_bytes.
  ADD COLUMN boot_memory_bytes bigint CHECK (boot_memory_bytes > 0),
  -- What the VM holds of its project's quota: during an update the larger of what it was and becomes. Null: what it is.
  ADD COLUMN held_vcpu_count int CHECK (held_vcpu_count > 0),
  ADD COLUMN held_memory_bytes bigint CHECK (held_memory_bytes > 0);

ALTER TABLE volumes DROP CONSTRAINT volumes_role_check;
ALTER TABLE volumes ADD CONSTRAINT volumes_role_check CHECK (role IN ('root', 'data'));

-- MAC addresses in use on the site, one row per network card: the primary key decides races for one.
CREATE TABLE nic_addresses (
  mac_address text PRIMARY KEY,
  vm_id uuid NOT NULL REFERENCES vms (id) DEFERRABLE INITIALLY DEFERRED,
  nic_id uuid NOT NULL
);
CREATE INDEX nic_addresses_by_vm ON nic_addresses (vm_id);
