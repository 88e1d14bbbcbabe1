"""What the registry does, one file per noun."""
