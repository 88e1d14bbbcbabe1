"""What the registry answers, one file per noun."""
