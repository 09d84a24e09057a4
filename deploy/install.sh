#!/bin/bash
# Installs Kvorum on a Debian 12 or 13 machine from a built checkout, as root:
#
#   deploy/install.sh control-plane     the API and its workers; PostgreSQL and Redis are yours, named in /etc/kvorum/api.env
#   deploy/install.sh agent             makes this machine a host; needs QEMU 10 or newer
#
# Copies the checkout to /opt/kvorum, makes the service's user, installs its systemd unit and, if there is none, a settings file
# to fill in. Starts nothing. Running it again updates the program and leaves settings and data alone; an agent that is
# restarted afterwards does not touch running VMs.
set -euo pipefail

readonly target=/opt/kvorum
readonly settings_dir=/etc/kvorum
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly checkout

die() {
  echo "install.sh: $*" >&2
  exit 1
}

require() {
  [[ $EUID -eq 0 ]] || die "run it as root"
  [[ -f $checkout/$1 ]] || die "$checkout is not built; run there first: npm ci && npm run build"
  [[ -x /usr/bin/node ]] || die "the units run /usr/bin/node; install Node 20.19 or newer there"
}

make_user() { # name, home
  getent passwd "$1" >/dev/null || useradd --system --user-group --home-dir "$2" --shell /usr/sbin/nologin "$1"
}

copy_program() {
  # Beside the old one, then swapped: a process that starts meanwhile finds one or the other, whole.
  rm -rf "$target.new" "$target.old"
  mkdir -m 0755 "$target.new"
  tar -C "$checkout" --exclude=./.git --exclude=./.kvorum -cf - . | tar -C "$target.new" --no-same-owner -xf -
  if [[ -e $target ]]; then mv "$target" "$target.old"; fi
  mv "$target.new" "$target"
  rm -rf "$target.old"
}

write_settings() { # file name; content on standard input
  install -d -m 0750 "$settings_dir"
  if [[ -e $settings_dir/$1 ]]; then
    echo "kept $settings_dir/$1"
    cat >/dev/null
  else
    (umask 077 && cat >"$settings_dir/$1")
    echo "wrote $settings_dir/$1: fill it in"
  fi
}

install_unit() {
  install -m 0644 "$checkout/deploy/systemd/$1" "/etc/systemd/system/$1"
  systemctl daemon-reload
  echo "then: systemctl enable --now $1"
}

case ${1:-} in
  control-plane)
    require apps/api/dist/main.js
    make_user kvorum /var/lib/kvorum
    copy_program
    write_settings api.env <<'SETTINGS'
KVORUM_DATABASE_URL=postgresql://kvorum:PASSWORD@127.0.0.1:5432/kvorum
KVORUM_REDIS_URL=redis://127.0.0.1:6379
# Plain HTTP: keep it on this machine and put a TLS proxy in front.
KVORUM_LISTEN=127.0.0.1:7080
# Hosts dial these two, over mutual TLS. The addresses are what hosts are told.
KVORUM_GATEWAY_LISTEN=0.0.0.0:7081
KVORUM_ENROL_LISTEN=0.0.0.0:7082
KVORUM_GATEWAY_ADDRESS=THIS-MACHINE:7081
KVORUM_ENROL_ADDRESS=THIS-MACHINE:7082
# Written once, when there is no token yet. Read it, log in, and delete it.
KVORUM_BOOTSTRAP_TOKEN_FILE=/var/lib/kvorum/admin.token
SETTINGS
    install_unit kvorum-api.service
    ;;
  agent)
    require apps/node-agent/dist/main.js
    command -v qemu-system-x86_64 >/dev/null || die "install QEMU 10 or newer (Debian 12: -t bookworm-backports): qemu-system-x86 qemu-utils"
    # Root's: VMs have users of their own. Before, all of it belonged to kvorum-agent.
    install -d -m 0711 -o root -g root /var/lib/kvorum-agent
    for program in /usr/share/OVMF/OVMF_CODE_4M.secboot.fd /usr/bin/swtpm /usr/bin/xorriso; do
      [[ -e $program ]] || echo "not there: $program. VMs with UEFI need the package ovmf, VMs with a TPM swtpm, VMs with cloud-init xorriso; others run without"
    done
    copy_program
    write_settings agent.env <<SETTINGS
# First start: put the join token (kvorum host enrol $(hostname -s)) into /var/lib/kvorum-agent/join-token, mode 0600, owner root.
# It works once; delete it afterwards. Later starts ignore --join-file and --enrol-address.
KVORUM_AGENT_FLAGS=--name $(hostname -s) --listen 0.0.0.0:7083 --advertise-host $(hostname -f) --join-file /var/lib/kvorum-agent/join-token --enrol-address CONTROL-PLANE:7082
SETTINGS
    install_unit kvorum-agent.service
    ;;
  *)
    die "usage: deploy/install.sh control-plane | agent"
    ;;
esac
