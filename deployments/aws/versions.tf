terraform {
  required_version = ">= 1.10, < 2.0" # the state is locked by S3 itself
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
  # terraform init -backend-config="bucket=..." -backend-config="region=..."
  backend "s3" {
    key          = "forecast/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

# Credentials come from AWS_PROFILE; nothing here names an account or a key.
provider "aws" {
  region = var.region
  default_tags {
    tags = {
      project     = var.name
      environment = var.environment
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}
