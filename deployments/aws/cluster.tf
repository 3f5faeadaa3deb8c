resource "aws_ecs_cluster" "main" {
  name = local.prefix
  setting {
    name  = "containerInsights"
    value = "disabled" # the companions' metrics tell more, for less
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

# Names resolve inside the network only, and that is meant: members know each other by them.
resource "aws_service_discovery_private_dns_namespace" "mongo" {
  name        = local.domain
  description = "Members of the replica set"
  vpc         = aws_vpc.main.id
}

resource "aws_service_discovery_service" "mongodb" {
  for_each = local.members
  name     = each.key
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.mongo.id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}
