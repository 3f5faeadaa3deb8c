# Port 27017 is open to the tasks and between the members, and to nobody else.
resource "aws_security_group" "tasks" {
  name        = "${local.prefix}-tasks"
  description = "Runs of the pipeline, the Prefect worker, operations"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${local.prefix}-tasks" }
}

resource "aws_security_group" "members" {
  name        = "${local.prefix}-members"
  description = "Members of the replica set"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${local.prefix}-members" }
}

resource "aws_security_group" "machines" {
  name        = "${local.prefix}-machines"
  description = "Machines under the members: out only"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${local.prefix}-machines" }
}

resource "aws_vpc_security_group_ingress_rule" "members" {
  for_each                     = { tasks = aws_security_group.tasks.id, members = aws_security_group.members.id }
  security_group_id            = aws_security_group.members.id
  description                  = "MongoDB from ${each.key}"
  referenced_security_group_id = each.value
  from_port                    = 27017
  to_port                      = 27017
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "members" {
  security_group_id            = aws_security_group.members.id
  description                  = "MongoDB to the other members"
  referenced_security_group_id = aws_security_group.members.id
  from_port                    = 27017
  to_port                      = 27017
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "tasks_to_members" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "MongoDB"
  referenced_security_group_id = aws_security_group.members.id
  from_port                    = 27017
  to_port                      = 27017
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = {
    tasks    = aws_security_group.tasks.id
    members  = aws_security_group.members.id # ECS Exec
    machines = aws_security_group.machines.id
  }
  security_group_id = each.value
  description       = "AWS and Prefect over TLS, from ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}
