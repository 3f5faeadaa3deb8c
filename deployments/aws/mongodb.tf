# One service for each member: at most one mongod on a volume, always by the same name. Beside
# mongod runs a companion (`watch`) that turns its state into metrics; mongo-1 has another (`init`)
# that initiates the set and keeps its users as the secrets say, and ends.
locals {
  member_logs = { for member in keys(local.members) : member => {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.main["mongodb"].name
      awslogs-region        = var.region
      awslogs-stream-prefix = member
    }
  } }
  secret_arns = { for name, secret in aws_secretsmanager_secret.main : name => secret.arn }
  companion_environment = { for member in keys(local.members) : member => [
    { name = "CLUSTER", value = var.metrics_cluster },
    { name = "ENVIRONMENT", value = var.environment },
    { name = "MEMBER", value = "${member}.${local.domain}" },
  ] }
  user_secrets = [for user in ["admin", "operator", "watcher", "pipeline", "migration", "reader"] :
  { name = "MONGODB_URI_${upper(user)}", valueFrom = local.secret_arns["uri-${user}"] }]

  mongod = { for member in keys(local.members) : member => {
    name      = "mongod"
    image     = local.mongodb_image
    essential = true
    user      = "0" # the entrypoint writes /etc/hosts, then becomes mongodb
    memory    = 1280
    command   = ["--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "1024"]
    environment = [
      { name = "MEMBER", value = "${member}.${local.domain}" },
    ]
    secrets = [
      { name = "KEYFILE", valueFrom = local.secret_arns["keyfile"] },
      { name = "CERTIFICATE", valueFrom = local.secret_arns["certificate-${member}"] },
      { name = "CA", valueFrom = local.secret_arns["ca"] },
    ]
    portMappings    = [{ containerPort = 27017, hostPort = 27017, protocol = "tcp" }]
    mountPoints     = [{ sourceVolume = "data", containerPath = "/data/db", readOnly = false }]
    ulimits         = [{ name = "nofile", softLimit = 64000, hardLimit = 64000 }]
    linuxParameters = { initProcessEnabled = true }
    stopTimeout     = 120
    # Alive, not primary: a secondary is healthy too. Each check starts Node, so not every second.
    healthCheck = {
      command = ["CMD-SHELL", join(" ", [
        "mongosh --quiet --tls --tlsCAFile /run/mongo/ca.pem --host localhost",
        "--eval 'quit(db.adminCommand({ping: 1}).ok === 1 ? 0 : 1)'",
      ])]
      interval    = 30
      timeout     = 15
      retries     = 4
      startPeriod = 120
    }
    logConfiguration = local.member_logs[member]
  } }

  watch = { for member in keys(local.members) : member => {
    name                   = "watch"
    image                  = local.pipeline_image
    essential              = false
    restartPolicy          = { enabled = true, restartAttemptPeriod = 60 }
    memory                 = 192
    command                = ["python", "-m", "deployments.aws.watch"]
    readonlyRootFilesystem = false # the certificate goes into /tmp
    environment            = local.companion_environment[member]
    secrets = [
      { name = "MONGODB_URI", valueFrom = local.secret_arns["uri-watcher"] },
      { name = "MONGODB_CA", valueFrom = local.secret_arns["ca"] },
    ]
    mountPoints      = [{ sourceVolume = "data", containerPath = "/data/db", readOnly = true }]
    logConfiguration = local.member_logs[member]
  } }

  init = {
    name                   = "init"
    image                  = local.pipeline_image
    essential              = false
    memory                 = 192
    command                = ["python", "-m", "deployments.aws.replica_set"]
    readonlyRootFilesystem = false
    environment            = local.companion_environment["mongo-1"]
    secrets                = concat(local.user_secrets, [{ name = "MONGODB_CA", valueFrom = local.secret_arns["ca"] }])
    dependsOn              = [{ containerName = "mongod", condition = "HEALTHY" }]
    logConfiguration       = local.member_logs["mongo-1"]
  }
}

resource "aws_ecs_task_definition" "mongodb" {
  for_each                 = local.members
  family                   = "${local.prefix}-${each.key}"
  network_mode             = "awsvpc"
  requires_compatibilities = ["EC2"]
  execution_role_arn       = aws_iam_role.members["mongodb-execution"].arn
  task_role_arn            = aws_iam_role.members["mongodb"].arn
  container_definitions = jsonencode(concat(
    [local.mongod[each.key], local.watch[each.key]], each.key == "mongo-1" ? [local.init] : [],
  ))
  volume {
    name      = "data"
    host_path = "/data/mongo"
  }
}

resource "aws_ecs_service" "mongodb" {
  for_each                           = local.members
  name                               = each.key
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.mongodb[each.key].arn
  launch_type                        = "EC2"
  desired_count                      = var.mongodb_running ? 1 : 0
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100 # never two mongods on one volume
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = [aws_subnet.private[each.key].id]
    security_groups  = [aws_security_group.members.id]
    assign_public_ip = false
  }
  placement_constraints {
    type       = "memberOf"
    expression = "attribute:member == ${each.key} and attribute:ecs.availability-zone == ${each.value.zone}"
  }
  service_registries {
    registry_arn = aws_service_discovery_service.mongodb[each.key].arn
  }
  lifecycle {
    ignore_changes = [task_definition] # a new one is rolled, one member at a time: deployments.aws.rolling
  }
}

# Rolling restarts run inside the network, where the members' names resolve.
resource "aws_ecs_task_definition" "operations" {
  family                   = "${local.prefix}-operations"
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.tasks["execution"].arn
  task_role_arn            = aws_iam_role.members["operations"].arn
  container_definitions = jsonencode([{
    name      = "operations"
    image     = local.pipeline_image
    essential = true
    memory    = 512
    command   = ["python", "-m", "deployments.aws.rolling"]
    environment = [
      { name = "AWS_REGION", value = var.region },
      { name = "ECS_CLUSTER", value = aws_ecs_cluster.main.name },
      { name = "ECS_FAMILY_PREFIX", value = local.prefix },
    ]
    secrets = [
      { name = "MONGODB_URI", valueFrom = local.secret_arns["uri-operator"] },
      { name = "MONGODB_CA", valueFrom = local.secret_arns["ca"] },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.main["operations"].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "operations"
      }
    }
  }])
}
