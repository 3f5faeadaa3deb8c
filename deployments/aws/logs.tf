resource "aws_cloudwatch_log_group" "main" {
  for_each          = toset([local.families.pipeline, local.families.migration, "mongodb", "worker", "operations"])
  name              = "/${local.prefix}/${each.key}"
  retention_in_days = 365
}
