"""`python -m theta_tui` is `theta`."""

from theta_tui.cli.start import main

if __name__ == "__main__":
    main()
