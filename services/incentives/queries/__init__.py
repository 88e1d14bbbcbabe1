"""What incentives answers: decisions, explanations, replays, tier lists."""
