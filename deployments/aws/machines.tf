# One machine and one volume in each zone. A machine that dies is replaced by its group and takes
# the volume over; the data never depend on it.
data "aws_ssm_parameter" "machine_image" {
  name = var.mongodb_machine_image
}

resource "aws_ebs_volume" "mongodb" {
  for_each          = local.members
  availability_zone = each.value.zone
  size              = var.mongodb_volume_gib
  type              = "gp3"
  encrypted         = true
  snapshot_id       = lookup(var.mongodb_snapshots, each.key, null)
  tags              = { Name = "${local.prefix}-${each.key}", backup = local.prefix, member = each.key }
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [snapshot_id] # a volume that exists is never remade from a snapshot
  }
}

resource "aws_launch_template" "mongodb" {
  for_each               = local.members
  name                   = "${local.prefix}-${each.key}"
  image_id               = data.aws_ssm_parameter.machine_image.value
  instance_type          = var.mongodb_instance_type
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.machines.arn
  }
  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [aws_security_group.machines.id]
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 30
      volume_type = "gp3"
      encrypted   = true
    }
  }
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${local.prefix}-${each.key}", "replica-set" = local.prefix }
  }
  user_data = base64encode(join("\n", [
    "#!/bin/bash",
    "export REGION=${var.region} CLUSTER=${local.prefix} MEMBER=${each.key} VOLUME=${aws_ebs_volume.mongodb[each.key].id}",
    file("${path.module}/mongodb/prepare-machine.sh"),
  ]))
}

resource "aws_autoscaling_group" "mongodb" {
  for_each            = local.members
  name                = "${local.prefix}-${each.key}"
  min_size            = var.mongodb_running ? 1 : 0
  max_size            = 1
  desired_capacity    = var.mongodb_running ? 1 : 0
  vpc_zone_identifier = [aws_subnet.private[each.key].id]
  # A machine that does not come is told by the alarms, not by an apply that hangs.
  wait_for_capacity_timeout = "0"
  launch_template {
    id      = aws_launch_template.mongodb[each.key].id
    version = "$Latest"
  }
  tag {
    key                 = "member"
    value               = each.key
    propagate_at_launch = true
  }
}
