# A snapshot of each member's volume every night, kept five weeks. Journal and data share the
# volume, so a snapshot is what a power cut leaves: mongod recovers from it by itself.
resource "aws_backup_vault" "main" {
  name = local.prefix
}

resource "aws_backup_plan" "nightly" {
  name = local.prefix
  rule {
    rule_name         = "nightly"
    target_vault_name = aws_backup_vault.main.name
    schedule          = "cron(0 2 * * ? *)" # UTC; the weekly run is over by then
    start_window      = 60
    completion_window = 240
    lifecycle {
      delete_after = 35
    }
  }
}

resource "aws_iam_role" "backup" {
  name               = "${local.prefix}-backup"
  description        = "AWS Backup: snapshots of the members' volumes"
  assume_role_policy = data.aws_iam_policy_document.assume["backup"].json
}

resource "aws_iam_role_policy_attachment" "backup" {
  role       = aws_iam_role.backup.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
}

resource "aws_backup_selection" "volumes" {
  name         = "${local.prefix}-volumes"
  iam_role_arn = aws_iam_role.backup.arn
  plan_id      = aws_backup_plan.nightly.id
  resources    = [for volume in aws_ebs_volume.mongodb : volume.arn]
}
