# raw: what Airbyte lands. processed: history, manifests, quarantine, remembered fits.
# reports: copies of what every run said, locked against change for a year (archive.tf).
locals {
  buckets = toset(["raw", "processed", "reports"])
}

resource "aws_s3_bucket" "layers" {
  for_each            = local.buckets
  bucket              = "${var.bucket_prefix}-${var.environment}-${each.key}"
  object_lock_enabled = each.key == "reports"
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "layers" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.layers[each.key].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "layers" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.layers[each.key].id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "layers" {
  for_each                = local.buckets
  bucket                  = aws_s3_bucket.layers[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "layers" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.layers[each.key].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "tls_only" {
  for_each = local.buckets
  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.layers[each.key].arn, "${aws_s3_bucket.layers[each.key].arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "layers" {
  for_each   = local.buckets
  bucket     = aws_s3_bucket.layers[each.key].id
  policy     = data.aws_iam_policy_document.tls_only[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.layers]
}

resource "aws_s3_bucket_object_lock_configuration" "reports" {
  bucket = aws_s3_bucket.layers["reports"].id
  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = 365
    }
  }
  depends_on = [aws_s3_bucket_versioning.layers]
}

resource "aws_s3_bucket_lifecycle_configuration" "layers" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.layers[each.key].id

  rule {
    id     = "tidy"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 90
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.key == "processed" ? [] : [1]
    content {
      id     = "seldom-read"
      status = "Enabled"
      filter {}
      transition {
        days          = 30
        storage_class = "STANDARD_IA"
      }
    }
  }

  dynamic "rule" {
    for_each = each.key == "processed" ? [1] : []
    content {
      id     = "forget-fits" # the pipeline looks back ten weeks at most
      status = "Enabled"
      filter {
        prefix = "forecasts/v1/fits/"
      }
      expiration {
        days = 77
      }
    }
  }
  depends_on = [aws_s3_bucket_versioning.layers]
}
