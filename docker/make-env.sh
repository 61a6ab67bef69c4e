#!/bin/sh
# Writes .env for docker-compose.yml: docker/example.env with every empty value filled in at random (256 bits, hex).
# An existing .env is kept: its passwords are those of the stores' volumes.
set -eu
cd "$(dirname "$0")/.."
target=${1:-.env}
if [ -e "$target" ]; then
  echo "$target exists and is kept; the stores' volumes hold its passwords" >&2
  exit 1
fi
umask 077
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
while IFS= read -r line; do
  case $line in
    \#* | '') printf '%s\n' "$line" ;;
    *=) printf '%s%s\n' "$line" "$(random)" ;;
    *) printf '%s\n' "$line" ;;
  esac
done <docker/example.env >"$target.new"
mv "$target.new" "$target"
echo "wrote $target (mode 0600)"
