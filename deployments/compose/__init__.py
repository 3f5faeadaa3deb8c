"""The lake of docker-compose.yml."""
