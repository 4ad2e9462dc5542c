"""The web application: pages, the waiting room, signaling, WHIP and WHEP. Imports nothing here: see ``app.py``."""
