# Reports are written once into the processed bucket; S3 itself copies them into the locked one,
# so that no role of a run can touch what earlier runs said.
resource "aws_s3_bucket_replication_configuration" "reports" {
  bucket = aws_s3_bucket.layers["processed"].id
  role   = aws_iam_role.archive.arn
  rule {
    id     = "reports"
    status = "Enabled"
    filter {
      prefix = "reports/"
    }
    delete_marker_replication {
      status = "Disabled"
    }
    destination {
      bucket = aws_s3_bucket.layers["reports"].arn
    }
  }
  depends_on = [aws_s3_bucket_versioning.layers]
}

resource "aws_iam_role" "archive" {
  name               = "${local.prefix}-archive"
  description        = "S3: copies reports into the locked bucket"
  assume_role_policy = data.aws_iam_policy_document.assume["archive"].json
}

resource "aws_iam_role_policy" "archive" {
  name   = "archive"
  role   = aws_iam_role.archive.id
  policy = data.aws_iam_policy_document.archive.json
}

data "aws_iam_policy_document" "archive" {
  statement {
    sid       = "Source"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [local.layer_arns["processed"]]
  }
  statement {
    sid = "Read"
    actions = [
      "s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging",
    ]
    resources = ["${local.layer_arns["processed"]}/reports/*"]
  }
  statement {
    sid       = "Copy"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${local.layer_arns["reports"]}/reports/*"]
  }
}
