"""The commands: options, help, reports, and the entry point. No torch and no Textual at the top."""
