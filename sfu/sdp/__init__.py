"""Reading offers and writing answers (RFC 8829): pure, no I/O, no clock."""
