"""The verbs of audits, one file per noun; the only place that emits."""
