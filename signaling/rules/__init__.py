"""Pure rules of the consultation: no I/O, no clock, no asyncio. Callers pass the time."""
