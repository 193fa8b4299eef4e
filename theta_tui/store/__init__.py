"""What was said and taught: records, journal, context file. Knows no model."""
