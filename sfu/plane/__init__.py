"""The data plane: everything that happens for each packet, behind the seam in ``seam.py``."""
