locals {
  prefix  = "${var.name}-${var.environment}"
  account = data.aws_caller_identity.current.account_id
  ecs_arn = "arn:${data.aws_partition.current.partition}:ecs:${var.region}:${local.account}"

  members = { for index, zone in var.zones : "mongo-${index + 1}" => { zone = zone, index = index } }
  domain  = "mongo.internal"

  # Families that the Prefect worker registers; Terraform only needs their names.
  families = {
    pipeline  = "forecast-pipeline-ecs"
    migration = "s3-to-mongo-migration-ecs"
  }
  pipeline_image = "${aws_ecr_repository.images["pipeline"].repository_url}:${var.image_tag}"
  mongodb_image  = "${aws_ecr_repository.images["mongodb"].repository_url}:${var.mongodb_image_tag}"
}
