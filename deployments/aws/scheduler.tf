# The weekly run without Prefect's schedule: off, unless Prefect's is (variables.tf holds the two
# apart). It runs the newest revision of the family, as the worker registered it.
resource "aws_scheduler_schedule_group" "main" {
  name = local.prefix
}

resource "aws_scheduler_schedule" "weekly" {
  name                         = "forecast-weekly"
  group_name                   = aws_scheduler_schedule_group.main.name
  state                        = var.scheduler_enabled ? "ENABLED" : "DISABLED"
  schedule_expression          = "cron(0 22 ? * WED *)"
  schedule_expression_timezone = "Europe/Paris"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_ecs_cluster.main.arn
    role_arn = aws_iam_role.scheduler.arn
    input = jsonencode({ containerOverrides = [{
      name    = "prefect" # the container's name in the family
      command = ["python", "-m", "flows.forecast"]
      environment = [
        { name = "AWS_REGION", value = var.region },
        { name = "ENVIRONMENT", value = var.environment },
        { name = "LAKE_URI", value = local.lake_uri },
        { name = "OUTPUT_URI", value = local.output_uri },
        { name = "PREFECT_API_URL", value = var.prefect_api_url },
        { name = "PREFECT_HOME", value = "/tmp/prefect" },
      ]
    }] })
    ecs_parameters {
      task_definition_arn = "${local.definitions}/${local.families.pipeline}"
      launch_type         = "FARGATE"
      task_count          = 1
      network_configuration {
        subnets          = values(aws_subnet.private)[*].id
        security_groups  = [aws_security_group.tasks.id]
        assign_public_ip = false
      }
    }
    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = 3600
    }
    dead_letter_config {
      arn = aws_sqs_queue.dead["scheduler"].arn
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${local.prefix}-scheduler"
  description        = "EventBridge Scheduler: starts the weekly run, nothing else"
  assume_role_policy = data.aws_iam_policy_document.assume["scheduler"].json
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = ["${local.definitions}/${local.families.pipeline}", "${local.definitions}/${local.families.pipeline}:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.main.arn]
    }
  }
  statement {
    sid       = "Pass"
    actions   = ["iam:PassRole"]
    resources = [for role in ["execution", "pipeline"] : aws_iam_role.tasks[role].arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
  statement {
    sid       = "Undelivered"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead["scheduler"].arn]
  }
}
