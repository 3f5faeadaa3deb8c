"""From history to forecasts with honest intervals."""
