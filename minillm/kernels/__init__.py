"""What the machine runs: fast versions of a few functions, under the names of their definitions.

Nobody needs them to understand the rest. cpu.py is for NumPy's arrays, gpu.py for CuPy's. A fast version takes what its
definition takes and returns what it returns, up to rounding, or None: then the definition answers instead.
"""
