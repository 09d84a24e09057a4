-- Images that were published from a VM: of which, by the name that it had, and when.
ALTER TABLE images
  ADD COLUMN description text,
  ADD COLUMN source_vm_id uuid,
  ADD COLUMN source_vm_name text,
  ADD COLUMN source_taken_at timestamptz(6);
