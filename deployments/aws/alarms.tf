# Missing data is bad (but for `run_success`), so that silence is heard too. `member_up` and its like come
# from the companions, `run_success` from the runs themselves.
resource "aws_sns_topic" "alarms" {
  name              = "${local.prefix}-alarms"
  kms_master_key_id = "alias/aws/sns"
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = var.alarm_email == "" ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  dimensions = { env = var.environment, cluster = var.metrics_cluster }
  member_alarms = {
    down = { metric = "member_up", statistic = "Maximum", operator = "LessThanThreshold", threshold = 1, minutes = 3
    means = "does not answer, or is neither primary nor secondary" }
    lag = { metric = "replication_lag_seconds", statistic = "Minimum", operator = "GreaterThanThreshold", threshold = 60, minutes = 10
    means = "is more than a minute behind the primary" }
    disk = { metric = "disk_used_percent", statistic = "Maximum", operator = "GreaterThanThreshold", threshold = 75, minutes = 10
    means = "has filled three quarters of its volume: raise mongodb_volume_gib" }
  }
  watched = { for pair in setproduct(keys(local.members), keys(local.member_alarms)) :
  "${pair[0]}-${pair[1]}" => merge(local.member_alarms[pair[1]], { member = pair[0] }) }
}

resource "aws_cloudwatch_metric_alarm" "members" {
  for_each            = local.watched
  alarm_name          = "${local.prefix}-${each.key}"
  alarm_description   = "${each.value.member} ${each.value.means}."
  namespace           = "ForecastPipeline"
  metric_name         = each.value.metric
  dimensions          = merge(local.dimensions, { member = "${each.value.member}.${local.domain}" })
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# CloudWatch looks back seven days at most, so a weekly `run_success` that is missing cannot be told
# from one that is due tonight: the companions read the age of the published forecast instead.
resource "aws_cloudwatch_metric_alarm" "no_fresh_forecast" {
  alarm_name          = "${local.prefix}-no-fresh-forecast"
  alarm_description   = "The published forecast was issued more than seven and a half days ago, or nobody can tell."
  namespace           = "ForecastPipeline"
  metric_name         = "forecast_age_hours"
  dimensions          = local.dimensions
  statistic           = "Minimum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 180
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "run_failed" {
  alarm_name          = "${local.prefix}-run-failed"
  alarm_description   = "A run ended and was no success; its report says why."
  namespace           = "ForecastPipeline"
  metric_name         = "run_success"
  dimensions          = local.dimensions
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # most hours have no run
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
