"""The use cases of the consultation: they join the rules to the SFU."""
