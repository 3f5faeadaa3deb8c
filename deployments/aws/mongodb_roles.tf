# Roles of the members: what starts their tasks, what runs in them, and the machines below.
locals {
  member_roles = {
    mongodb-execution = "Starts members: images, logs, keys of the set"
    mongodb           = "What runs in a member's task: ECS Exec only"
    operations        = "Rolling restarts: starts new tasks of the three members"
  }
}

resource "aws_iam_role" "members" {
  for_each           = local.member_roles
  name               = "${local.prefix}-${each.key}"
  description        = each.value
  assume_role_policy = data.aws_iam_policy_document.assume["tasks"].json
}

resource "aws_iam_role_policy" "members" {
  for_each = {
    mongodb-execution = data.aws_iam_policy_document.mongodb_execution.json
    mongodb           = data.aws_iam_policy_document.mongodb.json
    operations        = data.aws_iam_policy_document.operations.json
  }
  name   = each.key
  role   = aws_iam_role.members[each.key].id
  policy = each.value
}

data "aws_iam_policy_document" "mongodb_execution" {
  source_policy_documents = [data.aws_iam_policy_document.pull["mongodb"].json]
  statement {
    sid = "PullCompanion"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    ]
    resources = [aws_ecr_repository.images["pipeline"].arn]
  }
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.main["mongodb"].arn}:*"]
  }
  statement {
    sid     = "Secrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [for name, secret in aws_secretsmanager_secret.main : secret.arn
    if name != "ca-key" && !startswith(name, "prefect-")]
  }
}

data "aws_iam_policy_document" "mongodb" {
  statement {
    sid = "Exec"
    actions = [
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"] # it cannot be narrowed
  }
}

data "aws_iam_policy_document" "operations" {
  statement {
    sid       = "Newest"
    actions   = ["ecs:DescribeTaskDefinition"]
    resources = ["*"] # it cannot be narrowed
  }
  statement {
    sid       = "Members"
    actions   = ["ecs:DescribeServices", "ecs:UpdateService"]
    resources = [for member in keys(local.members) : "${local.ecs_arn}:service/${local.prefix}/${member}"]
  }
  statement {
    sid       = "Pass"
    actions   = ["iam:PassRole"]
    resources = [for role in ["mongodb", "mongodb-execution"] : aws_iam_role.members[role].arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "machines" {
  name               = "${local.prefix}-machines"
  description        = "Machines under the members: ECS agent, and their own volume"
  assume_role_policy = data.aws_iam_policy_document.assume["machines"].json
}

resource "aws_iam_instance_profile" "machines" {
  name = "${local.prefix}-machines"
  role = aws_iam_role.machines.name
}

resource "aws_iam_role_policy" "machines" {
  name   = "machines"
  role   = aws_iam_role.machines.id
  policy = data.aws_iam_policy_document.machines.json
}

data "aws_iam_policy_document" "machines" {
  statement {
    sid       = "Endpoint"
    actions   = ["ecs:DiscoverPollEndpoint"]
    resources = ["*"] # it cannot be narrowed
  }
  statement {
    sid = "Agent"
    actions = [
      "ecs:DeregisterContainerInstance", "ecs:Poll", "ecs:RegisterContainerInstance",
      "ecs:StartTelemetrySession", "ecs:SubmitAttachmentStateChanges",
      "ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange",
      "ecs:UpdateContainerInstancesState", "ecs:PutAttributes",
    ]
    resources = [
      aws_ecs_cluster.main.arn,
      "${local.ecs_arn}:container-instance/${local.prefix}/*",
    ]
  }
  statement {
    sid       = "Volume"
    actions   = ["ec2:AttachVolume"]
    resources = [for volume in aws_ebs_volume.mongodb : volume.arn]
  }
  statement {
    sid       = "VolumeToMachine"
    actions   = ["ec2:AttachVolume"]
    resources = ["arn:${data.aws_partition.current.partition}:ec2:${var.region}:${local.account}:instance/*"]
    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/replica-set"
      values   = [local.prefix]
    }
  }
}
