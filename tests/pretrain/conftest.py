"""A training measures the machine first. Here dozens begin in one process."""

from functools import cache

from theta_tui.pretrain import command

command.matrix_rate = cache(command.matrix_rate)
