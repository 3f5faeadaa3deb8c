# The Prefect worker: polls a pool of type ecs, registers the two families and runs their tasks.
# Prefect Cloud's push pool needs none: prefect_work_pool = "".
data "aws_iam_policy_document" "worker" {
  statement {
    sid = "Definitions" # these know no resource
    actions = [
      "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions",
      "ecs:RegisterTaskDefinition",
    ]
    resources = ["*"]
  }
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = [for family in local.run_families : "${local.definitions}/${family}:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.main.arn]
    }
  }
  statement {
    sid       = "Tasks"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"]
    resources = ["${local.ecs_arn}:task/${local.prefix}/*"]
  }
  statement {
    sid       = "TagDefinitions"
    actions   = ["ecs:TagResource"]
    resources = [for family in local.run_families : "${local.definitions}/${family}:*"]
  }
  statement {
    sid       = "Network" # these know no resource
    actions   = ["ec2:DescribeSubnets", "ec2:DescribeVpcs"]
    resources = ["*"]
  }
  statement {
    sid       = "Pass"
    actions   = ["iam:PassRole"]
    resources = [for role in ["execution", "pipeline", "migration"] : aws_iam_role.tasks[role].arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
  statement {
    sid       = "Events"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.events.arn]
  }
}

locals {
  definitions  = "${local.ecs_arn}:task-definition"
  run_families = ["forecast-*-ecs", local.families.migration]
}

resource "aws_ecs_task_definition" "worker" {
  count                    = var.prefect_work_pool == "" ? 0 : 1
  family                   = "${local.prefix}-worker"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.tasks["execution"].arn
  task_role_arn            = aws_iam_role.tasks["worker"].arn
  container_definitions = jsonencode([{
    name      = "worker"
    image     = local.pipeline_image
    essential = true
    command   = ["prefect", "worker", "start", "--pool", var.prefect_work_pool, "--type", "ecs"]
    environment = [
      { name = "AWS_REGION", value = var.region },
      { name = "PREFECT_API_URL", value = var.prefect_api_url },
      { name = "PREFECT_HOME", value = "/tmp/prefect" },
      { name = "PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME", value = aws_sqs_queue.events.name },
    ]
    secrets         = [local.prefect_login]
    linuxParameters = { initProcessEnabled = true }
    stopTimeout     = 60
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.main["worker"].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "worker"
      }
    }
  }])
}

locals {
  prefect_login = (startswith(var.prefect_api_url, "https://api.prefect.cloud/")
    ? { name = "PREFECT_API_KEY", valueFrom = aws_secretsmanager_secret.main["prefect-api-key"].arn }
  : { name = "PREFECT_API_AUTH_STRING", valueFrom = aws_secretsmanager_secret.main["prefect-api-login"].arn })
}

resource "aws_ecs_service" "worker" {
  count           = length(aws_ecs_task_definition.worker)
  name            = "worker"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.worker[0].arn
  launch_type     = "FARGATE"
  desired_count   = 1
  # A second worker for the minute of a deployment does no harm: each run is taken by one of them.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = values(aws_subnet.private)[*].id
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = false
  }
}
