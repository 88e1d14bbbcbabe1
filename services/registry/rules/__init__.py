"""The registry's rules: pure functions on values, codes and days."""
