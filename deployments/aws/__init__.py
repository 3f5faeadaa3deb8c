"""MongoDB on ECS: keys, users, rolling restarts and metrics of the members Terraform makes."""
