"""Why an offer gets no answer."""

from __future__ import annotations

import enum


class OfferProblem(enum.StrEnum):
    """The value is what the page and the statistics are told."""

    TOO_LARGE = "offer_too_large"
    MALFORMED = "offer_malformed"
    NO_TRANSPORT = "offer_without_transport"
    NO_FINGERPRINT = "offer_without_known_fingerprint"
    ROLE_CHANGED = "offer_changes_dtls_role"


class OfferError(ValueError):
    """``problem`` is for programs, ``detail`` for people; it never quotes the offer at length."""

    def __init__(self, problem: OfferProblem, detail: str) -> None:
        super().__init__(f"{problem.value}: {detail}")
        self.problem = problem
        self.detail = detail


class OfferMalformed(OfferError):
    """No session description, or one that contradicts itself."""


class OfferUnsupported(OfferError):
    """A session description that we understand and cannot answer."""
