-- A VM that is being moved holds room on two hosts: where it lives, and where it is to live. It lives on the first until the
-- operation has ended; then the first reservation goes, and the second one becomes it.
ALTER TABLE reservations DROP CONSTRAINT reservations_purpose_check,
  ADD CONSTRAINT reservations_purpose_check CHECK (purpose IN ('run', 'move'));

-- Which hosts have VMs of an image, and so its content: asked for each image that a host needs.
CREATE INDEX vms_by_image ON vms (image_id, host_id) WHERE deleted_at IS NULL;
