-- VMs that were accepted without room and wait for it. The row goes in the transaction that places the VM or ends its
-- operation; the operation sleeps until then (operations.not_before).
CREATE TABLE waiting_vms (
  operation_id uuid PRIMARY KEY REFERENCES operations (id) ON DELETE CASCADE,
  vm_id uuid NOT NULL UNIQUE REFERENCES vms (id),
  project_id uuid NOT NULL REFERENCES projects (id),
  -- The create request, to decide from once more.
  request jsonb NOT NULL,
  priority int NOT NULL,
  until timestamptz NOT NULL,
  -- Why there was no room when it was last tried; for people of the project, so without names of hosts.
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX waiting_vms_in_order ON waiting_vms (priority DESC, operation_id);
