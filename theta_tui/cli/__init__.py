"""The commands: options, help, reports, and the way in. No torch and no Textual at the top."""
