"""What every room may use: errors, text, settings, files, standard streams. Knows no other room."""
