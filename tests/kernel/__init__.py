"""The ground floor: every numerical law of the kernel, on its private functions."""
