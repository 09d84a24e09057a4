-- What an image came from. `sha256` stays that of the file hosts get: of an image that is still being fetched or converted it is not
-- known yet; the checksum of what was taken in is kept beside it.
ALTER TABLE images
  DROP CONSTRAINT images_state_check,
  ADD CONSTRAINT images_state_check CHECK (state IN ('uploading', 'downloading', 'available', 'failed', 'deleted')),
  ALTER COLUMN sha256 DROP NOT NULL,
  ADD COLUMN source_url text,
  ADD COLUMN source_format text,
  ADD COLUMN source_sha256 text,
  ADD CONSTRAINT images_available_has_sha256 CHECK (state <> 'available' OR sha256 IS NOT NULL);

-- Until now nothing was converted: what was taken in is what is there.
UPDATE images SET source_sha256 = sha256, source_format = CASE WHEN state = 'available' THEN 'qcow2' END;
