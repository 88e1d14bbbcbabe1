"""What incentives does: keep what others told, decide, publish tier lists."""
