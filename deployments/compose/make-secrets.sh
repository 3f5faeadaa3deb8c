#!/bin/sh
# Makes the passwords of docker-compose.yml once, for this machine alone: one file for each service,
# readable by nobody else. Volumes remember them, so files that stand are left as they are.
set -eu
umask 077
folder=${1:-.local/compose}
if [ -d "$folder" ]; then exit 0; fi

password() { head -c 4096 /dev/urandom | tr -dc 'a-zA-Z0-9' | head -c "$1"; }
uri() { echo "mongodb://$1:$2@mongo-1:27017,mongo-2:27017,mongo-3:27017/?replicaSet=rs0"; }

made=$folder.making
rm -rf "$made"
mkdir -p "$made"
pipeline=$(uri pipeline "$(password 32)")
migration=$(uri migration "$(password 32)")
postgres=$(password 32)
cd "$made"

echo "KEYFILE=$(password 512)" > member.env
cat > set.env << END
MONGODB_URI_ADMIN=$(uri admin "$(password 32)")
MONGODB_URI_PIPELINE=$pipeline
MONGODB_URI_MIGRATION=$migration
MONGODB_URI_READER=$(uri reader "$(password 32)")
END
echo "MONGODB_URI=$pipeline" > pipeline.env
echo "MONGODB_URI=$migration" > migration.env
cat > lake.env << END
AWS_ACCESS_KEY_ID=$(password 20)
AWS_SECRET_ACCESS_KEY=$(password 40)
END
echo "POSTGRES_PASSWORD=$postgres" > postgres.env
echo "PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://prefect:$postgres@postgres:5432/prefect" \
  > prefect.env

cd - > /dev/null
mv "$made" "$folder" # whole or not at all
