locals {
  lake_uri   = "s3://${aws_s3_bucket.layers["raw"].id}"
  output_uri = "s3://${aws_s3_bucket.layers["processed"].id}"
}

output "deployment" {
  description = "What `python -m deployments.prefect` reads from the environment."
  value = {
    ENVIRONMENT                      = var.environment
    AWS_REGION                       = var.region
    LAKE_URI                         = local.lake_uri
    OUTPUT_URI                       = local.output_uri
    ECS_CLUSTER                      = aws_ecs_cluster.main.name
    ECS_WORK_POOL                    = var.prefect_work_pool
    VPC_ID                           = aws_vpc.main.id
    SUBNET_IDS                       = join(",", values(aws_subnet.private)[*].id)
    SECURITY_GROUP_IDS               = aws_security_group.tasks.id
    EXECUTION_ROLE_ARN               = aws_iam_role.tasks["execution"].arn
    PIPELINE_LOG_GROUP               = aws_cloudwatch_log_group.main[local.families.pipeline].name
    MIGRATION_LOG_GROUP              = aws_cloudwatch_log_group.main[local.families.migration].name
    PIPELINE_ROLE_ARN                = aws_iam_role.tasks["pipeline"].arn
    MIGRATION_ROLE_ARN               = aws_iam_role.tasks["migration"].arn
    PIPELINE_MONGODB_URI_SECRET_ARN  = local.secret_arns["uri-pipeline"]
    MIGRATION_MONGODB_URI_SECRET_ARN = local.secret_arns["uri-migration"]
    MONGODB_CA_SECRET_ARN            = local.secret_arns["ca"]
    PIPELINE_LOG_GROUP               = aws_cloudwatch_log_group.main[local.families.pipeline].name
    MIGRATION_LOG_GROUP              = aws_cloudwatch_log_group.main[local.families.migration].name
    PREFECT_API_SECRET_ARN           = local.prefect_login.valueFrom
    IMAGE                            = local.pipeline_image
    SCHEDULE_ACTIVE                  = tostring(var.prefect_schedule_active)
  }
}

output "volumes" {
  description = "Data volume of each member."
  value       = { for member, volume in aws_ebs_volume.mongodb : member => volume.id }
}

output "repositories" {
  description = "Where the two images are pushed."
  value       = { for name, repository in aws_ecr_repository.images : name => repository.repository_url }
}
