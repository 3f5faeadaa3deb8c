# Runs once at the first start of a member's machine, before the ECS agent: attaches the member's
# volume, mounts it at /data/mongo and tells the agent whose machine this is. Where any step fails,
# the agent joins no cluster, and mongod never starts on an empty folder of the root disk.
# Terraform puts REGION, CLUSTER, MEMBER and VOLUME in front of it.
set -euo pipefail

dnf install -y -q awscli-2 xfsprogs
metadata=http://169.254.169.254/latest
token=$(curl -sSf -X PUT "$metadata/api/token" -H "X-aws-ec2-metadata-token-ttl-seconds: 300")
instance=$(curl -sSf "$metadata/meta-data/instance-id" -H "X-aws-ec2-metadata-token: $token")

# The machine before this one may still hold the volume.
until aws ec2 attach-volume --region "$REGION" --volume-id "$VOLUME" --instance-id "$instance" --device /dev/sdf; do
  sleep 10
done
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME/-/}
until [ -b "$device" ]; do sleep 2; done

blkid "$device" > /dev/null || mkfs.xfs -q "$device" # only a volume without any file system
mkdir -p /data/mongo
echo "$device /data/mongo xfs noatime,x-systemd.device-timeout=300 0 2" >> /etc/fstab
mount /data/mongo
xfs_growfs /data/mongo > /dev/null

# After a restart of the machine too: no volume, no agent, no mongod.
mkdir -p /etc/systemd/system/ecs.service.d
printf '[Unit]\nRequiresMountsFor=/data/mongo\n' > /etc/systemd/system/ecs.service.d/volume.conf
systemctl daemon-reload
cat >> /etc/ecs/ecs.config << END
ECS_CLUSTER=$CLUSTER
ECS_INSTANCE_ATTRIBUTES={"member":"$MEMBER"}
ECS_AWSVPC_BLOCK_IMDS=true
ECS_CONTAINER_STOP_TIMEOUT=120s
END
