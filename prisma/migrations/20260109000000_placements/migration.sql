-- Every decision of the scheduler is kept, refusals too. A refusal has neither host nor VM: the VM was never made.
ALTER TABLE placements
  ALTER COLUMN vm_id DROP NOT NULL,
  ALTER COLUMN host_id DROP NOT NULL,
  ADD COLUMN outcome text NOT NULL DEFAULT 'placed' CHECK (outcome IN ('placed', 'refused')),
  ADD COLUMN project_id uuid REFERENCES projects (id),
  -- Name of the VM that was asked for, which a refusal knows nowhere else.
  ADD COLUMN vm_name text NOT NULL DEFAULT '',
  -- Name of the token that asked; null: not known any more.
  ADD COLUMN requested_by text,
  -- Hosts of the record as they were when it was decided: what a replay needs. Null: decided before there was any.
  ADD COLUMN evidence jsonb;
UPDATE placements SET project_id = vms.project_id, vm_name = vms.name FROM vms WHERE vms.id = placements.vm_id;
ALTER TABLE placements
  ALTER COLUMN project_id SET NOT NULL,
  ALTER COLUMN outcome DROP DEFAULT,
  ALTER COLUMN vm_name DROP DEFAULT,
  ADD CONSTRAINT placements_host_of_placed CHECK ((outcome = 'placed') = (host_id IS NOT NULL));
CREATE INDEX placements_by_project ON placements (project_id, id);
-- For the retention of refusals, and for listing them.
CREATE INDEX placements_by_outcome ON placements (outcome, id);
