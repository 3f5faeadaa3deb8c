#!/bin/bash
# Starts one member of the replica set, as root only until mongod is executed.
#
# A member that cannot resolve its own name at its start is REMOVED from the set and stays so even
# when the name appears later. In an ECS task nobody else writes it, and Cloud Map may list a task
# only once it is healthy. So the name goes into /etc/hosts first, at the address of this task.
set -euo pipefail
: "${MEMBER:?the name of this member, for example mongo-1.mongo.internal}"
: "${KEYFILE:?}" "${CERTIFICATE:?}" "${CA:?}"
user=${RUN_AS:-mongodb}
data=${DATA:-/data/db}
keys=${KEYS:-/run/mongo}

# 169.254.0.0/16 is the way to the ECS agent, not an address of the task.
address=$(hostname -I | tr ' ' '\n' | grep -v -e '^169\.254\.' -e '^$' | head -n 1)
others=$(grep -v -w -F "$MEMBER" /etc/hosts || true)
# /etc/hosts is mounted into the container: it can be written, not replaced.
printf '%s\n%s %s\n' "$others" "$address" "$MEMBER" > /etc/hosts

install -d -m 700 -o "$user" "$keys"
umask 077
printf '%s' "$KEYFILE" > "$keys/keyfile"
printf '%s' "$CERTIFICATE" > "$keys/certificate.pem"
printf '%s' "$CA" > "$keys/ca.pem"
chown "$user" "$keys"/* "$data"
chmod 400 "$keys"/*
unset KEYFILE CERTIFICATE CA

exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
  "${MONGOD:-mongod}" --replSet rs0 --dbpath "$data" --bind_ip_all --keyFile "$keys/keyfile" \
  --tlsMode requireTLS --tlsCertificateKeyFile "$keys/certificate.pem" --tlsCAFile "$keys/ca.pem" \
  --tlsAllowConnectionsWithoutCertificates --networkMessageCompressors snappy,zstd "$@"
