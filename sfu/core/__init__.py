"""The pure part of the SFU: no I/O, no clock (callers pass ``now``), no logging."""
