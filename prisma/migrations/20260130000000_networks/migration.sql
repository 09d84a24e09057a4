-- Networks of projects, the addresses on them, and who may talk to whom.

-- A number is never given out twice: a host that was silent when a network was deleted may still carry its frames. The first
-- 4,095 are left to overlays that others number by hand. 16,773,120 networks in the life of a site.
CREATE SEQUENCE network_segments AS int MINVALUE 4096 MAXVALUE 16777215;

CREATE TABLE networks (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('nat', 'bridge', 'vxlan')),
  -- The VNI of an overlay; on hosts, what tells connections of networks with the same addresses apart.
  segment_id int NOT NULL UNIQUE DEFAULT nextval('network_segments'),
  cidr inet NOT NULL CHECK (family(cidr) = 4 AND cidr = network(cidr)::inet AND masklen(cidr) BETWEEN 16 AND 29),
  gateway inet NOT NULL CHECK (masklen(gateway) = 32 AND gateway << cidr),
  dns_domain text NOT NULL,
  mtu int NOT NULL CHECK (mtu BETWEEN 1280 AND 9216),
  uplink text CHECK ((uplink IS NOT NULL) = (kind = 'bridge')),
  vlan_id int CHECK (vlan_id IS NULL OR (vlan_id BETWEEN 1 AND 4094 AND kind = 'bridge')),
  -- How far from the network's own address the last address was that we chose; the search for the next begins behind it.
  last_offset int NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (project_id, name)
);
CREATE INDEX networks_by_project ON networks (project_id, id);
-- Two networks on one wire would be one. Untagged counts as a number of its own.
CREATE UNIQUE INDEX networks_by_wire ON networks (uplink, coalesce(vlan_id, 0)) WHERE uplink IS NOT NULL;

CREATE TABLE ports (
  id uuid PRIMARY KEY,
  network_id uuid NOT NULL REFERENCES networks (id),
  project_id uuid NOT NULL REFERENCES projects (id),
  vm_id uuid REFERENCES vms (id),
  name text,
  mac_address text NOT NULL CHECK (mac_address ~ '^[0-9a-f][26ae](:[0-9a-f]{2}){5}$'),
  address inet NOT NULL CHECK (family(address) = 4 AND masklen(address) = 32),
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  -- Whatever chose them: no two ports of a network ever share an address, a MAC address or a name.
  UNIQUE (network_id, address),
  UNIQUE (network_id, mac_address),
  UNIQUE (network_id, name)
);
CREATE INDEX ports_by_network ON ports (network_id, id);
CREATE INDEX ports_by_vm ON ports (vm_id) WHERE vm_id IS NOT NULL;

CREATE TABLE security_groups (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (project_id, name)
);
CREATE INDEX security_groups_by_project ON security_groups (project_id, id);

CREATE TABLE security_group_rules (
  security_group_id uuid NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
  index int NOT NULL CHECK (index >= 0),
  direction text NOT NULL CHECK (direction IN ('ingress', 'egress')),
  protocol text NOT NULL CHECK (protocol IN ('any', 'tcp', 'udp', 'icmp')),
  port_min int CHECK (port_min BETWEEN 1 AND 65535),
  port_max int CHECK (port_max BETWEEN port_min AND 65535),
  cidr inet CHECK (family(cidr) = 4 AND cidr = network(cidr)::inet),
  peer_group_id uuid REFERENCES security_groups (id),
  PRIMARY KEY (security_group_id, index),
  CHECK ((port_min IS NULL) = (port_max IS NULL)),
  CHECK (port_min IS NULL OR protocol IN ('tcp', 'udp')),
  CHECK (cidr IS NULL OR peer_group_id IS NULL)
);
CREATE INDEX security_group_rules_by_peer ON security_group_rules (peer_group_id) WHERE peer_group_id IS NOT NULL;

CREATE TABLE port_security_groups (
  port_id uuid NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
  security_group_id uuid NOT NULL REFERENCES security_groups (id),
  PRIMARY KEY (port_id, security_group_id)
);
CREATE INDEX port_security_groups_by_group ON port_security_groups (security_group_id);
