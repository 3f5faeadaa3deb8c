# Only the places: `python -m deployments.aws.credentials` fills them, so that no state file ever
# holds a key. Who may read which stands in roles.tf and mongodb_roles.tf.
locals {
  secrets = merge({
    "keyfile"           = "What members prove to each other"
    "ca"                = "Certificate of the private authority; public, but only this one is trusted"
    "ca-key"            = "Key of the private authority; no role may read it"
    "uri-admin"         = "MONGODB_URI of the user who makes users"
    "uri-operator"      = "MONGODB_URI of rolling restarts: steps a primary down, reads no data"
    "uri-watcher"       = "MONGODB_URI of the members' companions: reads states and the pointer"
    "uri-pipeline"      = "MONGODB_URI of forecast runs: reads and writes one database, removes nothing"
    "uri-migration"     = "MONGODB_URI of the migration: the same rights, a password of its own"
    "uri-reader"        = "MONGODB_URI of people who read forecasts"
    "prefect-api-key"   = "PREFECT_API_KEY, for Prefect Cloud"
    "prefect-api-login" = "PREFECT_API_AUTH_STRING, for a server of your own"
  }, { for member in keys(local.members) : "certificate-${member}" => "Certificate and key of ${member}" })
}

resource "aws_secretsmanager_secret" "main" {
  for_each                = local.secrets
  name                    = "${local.prefix}/${each.key}"
  description             = each.value
  recovery_window_in_days = 7
}
