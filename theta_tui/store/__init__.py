"""What was said and taught: records, journal, context file. Standard library only."""
