-- What the guest's agent says of its network; null: it has not told in the present run.
ALTER TABLE vms ADD COLUMN guest_interfaces jsonb;

-- One row per permission to open one console once. Used and expired ones are removed by a reconciler.
CREATE TABLE console_tokens (
  id uuid PRIMARY KEY,
  vm_id uuid NOT NULL REFERENCES vms (id),
  kind text NOT NULL CHECK (kind IN ('serial', 'vnc')),
  -- The API token it was issued to: its revocation ends what was opened.
  api_token_id uuid NOT NULL REFERENCES api_tokens (id),
  secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX console_tokens_vm ON console_tokens (vm_id);
CREATE INDEX console_tokens_expiry ON console_tokens (expires_at);
