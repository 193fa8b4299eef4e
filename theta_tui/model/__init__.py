"""The model: loading, chat templates, decoding. It knows nothing of journals or screens.

torch and Transformers read their environment once, when they are imported, so it is set here, before any module of this
room can import them. What a person has set stays.
"""

import os

_ENVIRONMENT = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Threads that wait sleep instead of spinning: beside one other busy process on two cores, five replies take
    # 0.7 s instead of 5 s and one step 0.6 s instead of 3.7 s.
    "OMP_WAIT_POLICY": "PASSIVE",
    # NumPy's, which multiplies the small matrices of the scope matcher only, and spins however the variable above is
    # set: thirty decisions take 50 ms of one core, and 3 s of two beside another busy process.
    "OPENBLAS_NUM_THREADS": "1",
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
