"""A small real peer for tests: sockets, STUN, DTLS, SRTP, RTP and RTCP, on the wire as a browser is."""
