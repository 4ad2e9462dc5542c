"""The web application: pages, waiting room, signaling, WHIP and WHEP. Imports nothing: see ``app.py``."""
