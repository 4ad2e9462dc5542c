"""Cost of the SFU: a load generator, the machine's floor to compare with, and the report.

The generator is a process of its own with real ICE, DTLS and SRTP. ``python -m tests.bench --help`` names
what it can measure; ``docs/performance.md`` holds the last figures and the commands that made them.
"""
