# Roles of the pipeline, the migration and what starts them. Who may not delete cannot lose data:
# no task role here deletes an object or a secret.
data "aws_iam_policy_document" "assume" {
  for_each = {
    tasks     = "ecs-tasks.amazonaws.com"
    machines  = "ec2.amazonaws.com"
    scheduler = "scheduler.amazonaws.com"
    backup    = "backup.amazonaws.com"
    archive   = "s3.amazonaws.com"
  }
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
    dynamic "condition" { # a service acts for this account only
      for_each = each.key == "machines" ? [] : [1]
      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

locals {
  task_roles = {
    execution = "Starts pipeline tasks: image, logs, their secrets"
    pipeline  = "What a forecast run may do"
    migration = "What the migration may do"
    worker    = "Prefect worker: registers and runs pipeline tasks"
  }
  layer_arns = { for layer, bucket in aws_s3_bucket.layers : layer => bucket.arn }
}

resource "aws_iam_role" "tasks" {
  for_each           = local.task_roles
  name               = "${local.prefix}-${each.key}"
  description        = each.value
  assume_role_policy = data.aws_iam_policy_document.assume["tasks"].json
}

resource "aws_iam_role_policy" "tasks" {
  for_each = {
    execution = data.aws_iam_policy_document.execution.json
    pipeline  = data.aws_iam_policy_document.pipeline.json
    migration = data.aws_iam_policy_document.migration.json
    worker    = data.aws_iam_policy_document.worker.json
  }
  name   = each.key
  role   = aws_iam_role.tasks[each.key].id
  policy = each.value
}

data "aws_iam_policy_document" "execution" {
  source_policy_documents = [data.aws_iam_policy_document.pull["pipeline"].json]
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for name, group in aws_cloudwatch_log_group.main : "${group.arn}:*" if name != "mongodb"]
  }
  statement {
    sid     = "Secrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [for name in [
      "ca", "uri-pipeline", "uri-migration", "uri-operator", "prefect-api-key", "prefect-api-login",
    ] : aws_secretsmanager_secret.main[name].arn]
  }
}

data "aws_iam_policy_document" "pull" {
  for_each = aws_ecr_repository.images
  statement {
    sid       = "Token"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # it cannot be narrowed
  }
  statement {
    sid = "Pull"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    ]
    resources = [each.value.arn]
  }
}

data "aws_iam_policy_document" "pipeline" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [local.layer_arns["raw"], local.layer_arns["processed"]]
  }
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["${local.layer_arns["raw"]}/*", "${local.layer_arns["processed"]}/*"]
  }
  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = ["${local.layer_arns["processed"]}/*"]
  }
}

data "aws_iam_policy_document" "migration" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [local.layer_arns["raw"], local.layer_arns["processed"]] # either may hold the layer
  }
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["${local.layer_arns["raw"]}/processed/*", "${local.layer_arns["processed"]}/*"]
  }
  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = [for folder in ["quarantine", "reports"] : "${local.layer_arns["processed"]}/${folder}/*"]
  }
}
