variable "region" {
  description = "Region of everything, for example eu-west-3."
  type        = string
}

variable "zones" {
  description = "Three zones of the region, one for each member of the replica set."
  type        = list(string)
  validation {
    condition     = length(distinct(var.zones)) == 3 && alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "zones must be three different zones of the region, for example [\"eu-west-3a\", \"eu-west-3b\", \"eu-west-3c\"]."
  }
}

variable "environment" {
  description = "dev, staging or production; the same word as the setting ENVIRONMENT."
  type        = string
  validation {
    condition     = contains(["dev", "staging", "production"], var.environment)
    error_message = "environment must be dev, staging or production."
  }
}

variable "name" {
  description = "Begins the name of every resource."
  type        = string
  default     = "forecast"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "name must be 2 to 16 lower-case letters, digits and hyphens."
  }
}

variable "bucket_prefix" {
  description = "Begins the names of the buckets, which nobody else in the world may use."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{2,40}$", var.bucket_prefix))
    error_message = "bucket_prefix must be 3 to 41 lower-case letters, digits and hyphens."
  }
}

variable "network_range" {
  description = "Addresses of the network, a /16."
  type        = string
  default     = "10.40.0.0/16"
}

variable "image_tag" {
  description = "Tag of the pipeline's image (vYYYYMMDD-HHMM), which the worker and the members' companions run."
  type        = string
  validation {
    condition     = can(regex("^v[0-9]{8}-[0-9]{4}$", var.image_tag))
    error_message = "image_tag must be vYYYYMMDD-HHMM: a tag that never moves."
  }
}

variable "mongodb_image_tag" {
  description = "Tag of the image built from deployments/aws/mongodb."
  type        = string
  validation {
    condition     = can(regex("^v[0-9]{8}-[0-9]{4}$", var.mongodb_image_tag))
    error_message = "mongodb_image_tag must be vYYYYMMDD-HHMM: a tag that never moves."
  }
}

variable "mongodb_instance_type" {
  description = "Machine of a member; both images must be built for its architecture."
  type        = string
  default     = "t3.small"
}

variable "mongodb_machine_image" {
  description = "Systems Manager parameter that names the machine image of the members."
  type        = string
  default     = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

variable "mongodb_volume_gib" {
  description = "Size of a member's data volume; it may grow, never shrink."
  type        = number
  default     = 20
}

variable "mongodb_running" {
  description = "false takes the members and their machines away and leaves their volumes: only while restoring."
  type        = bool
  default     = true
}

variable "mongodb_snapshots" {
  description = "Only when restoring: snapshot from which a member's new volume is made, for example {\"mongo-3\" = \"snap-...\"}."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for member in keys(var.mongodb_snapshots) : contains(["mongo-1", "mongo-2", "mongo-3"], member)])
    error_message = "mongodb_snapshots has members mongo-1, mongo-2 and mongo-3 only."
  }
}

variable "metrics_cluster" {
  description = "Dimension `cluster` of the metrics; the same word as the setting CLUSTER."
  type        = string
  default     = "ecs"
}

variable "alarm_email" {
  description = "Who is told of an alarm; empty: nobody."
  type        = string
  default     = ""
}

variable "prefect_api_url" {
  description = "Address of the Prefect API, of a server or of Prefect Cloud."
  type        = string
}

variable "prefect_work_pool" {
  description = "Pool of type ecs that the worker serves; empty where a push pool of Prefect Cloud needs no worker."
  type        = string
  default     = "forecast-ecs"
}

variable "prefect_schedule_active" {
  description = "Whether the deployment forecast-weekly is scheduled by Prefect; the same word as SCHEDULE_ACTIVE."
  type        = bool
  default     = true
}

variable "scheduler_enabled" {
  description = "Whether EventBridge Scheduler starts the weekly run instead of Prefect."
  type        = bool
  default     = false
  validation {
    condition     = !(var.scheduler_enabled && var.prefect_schedule_active)
    error_message = "Two schedules are two runs: set prefect_schedule_active = false (and SCHEDULE_ACTIVE=false, and deploy) before scheduler_enabled = true."
  }
}
