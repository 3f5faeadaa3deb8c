# What ECS says of tasks that stopped; without it the worker never learns that a run was killed.
resource "aws_sqs_queue" "dead" {
  for_each                  = toset(["events", "scheduler"])
  name                      = "${local.prefix}-${each.key}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "events" {
  name                       = "${local.prefix}-prefect-ecs-tasks-events"
  message_retention_seconds  = 604800
  visibility_timeout_seconds = 300
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead["events"].arn
    maxReceiveCount     = 3
  })
}

resource "aws_cloudwatch_event_rule" "tasks" {
  name        = "${local.prefix}-task-states"
  description = "State changes of tasks of this cluster, for the Prefect worker"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail      = { clusterArn = [aws_ecs_cluster.main.arn] }
  })
}

resource "aws_cloudwatch_event_target" "tasks" {
  rule = aws_cloudwatch_event_rule.tasks.name
  arn  = aws_sqs_queue.events.arn
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "EventBridge"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.tasks.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.events.json
}
