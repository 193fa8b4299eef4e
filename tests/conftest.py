"""What holds for all tests, before any of them imports PyTorch."""

import os

# As many processes as there are cores run tests at once. Were each of them to use all cores, their threads would wait
# for one another: two took three times as long as with a thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
