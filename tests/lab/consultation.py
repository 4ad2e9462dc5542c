"""A consultation through the real pages, step by step as people do it. Texts are the Norwegian ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.async_api import Locator, expect

from tests.lab.browsers import BrowserKind, Browsers, Tab
from tests.lab.fixtures import Cast
from tests.lab.server import Server

ACCEPT = "Aksepter samtale"
CAMERA_OFF = "Skru av kamera"
END = "Avslutt samtale"
MICROPHONE_OFF = "Skru av mikrofon"
PATIENT_NAME = "Kari Nordmann"
GUEST_NAME = "Tolk Olsen"


@dataclass(slots=True)
class Consultation:
    """A patient and a clinician in a call, and who else joined."""

    server: Server
    cast: Cast
    patient: Tab
    clinician: Tab

    async def invite(self, browsers: Browsers, kind: BrowserKind) -> Tab:
        """A third person, by the link that the clinician's page gives."""
        link = await self.guest_link()
        guest = await self.cast.join(browsers, kind, "guest")
        await guest.page.goto(link)
        await guest.page.locator("#name").fill(GUEST_NAME)
        await guest.page.locator("#name-form button[type=submit]").click()
        await expect(guest.page.locator("#call")).to_be_visible()
        return guest

    async def guest_link(self) -> str:
        page = self.clinician.page
        await page.locator("#invite-guest").click()
        link = page.locator("#guest-link")
        await expect(link).to_have_value(re.compile(f"^{re.escape(self.server.origin)}/.+"))
        address = await link.input_value()
        await page.locator("#guest-close").click()
        return address

    async def end(self) -> None:
        """The clinician ends it for everyone."""
        page = self.clinician.page
        await button(self.clinician, END).click()
        await page.locator("#end-confirm").click()
        await expect(page.locator("#call")).to_be_hidden()
        await expect(self.patient.page.locator("#view-over")).to_be_visible()


async def consultation(
    server: Server,
    cast: Cast,
    patient: tuple[Browsers, BrowserKind],
    clinician: tuple[Browsers, BrowserKind],
) -> Consultation:
    """From two empty tabs to a call: the patient waits, the clinician signs in and rings, the patient accepts."""
    cast.servers.append(server)
    waiting = await cast.join(*patient, "patient")
    desk = await cast.join(*clinician, "clinician")
    await enter_waiting_room(waiting, server)
    await open_desk(desk, server)
    await ring(desk)
    await accept(waiting)
    for tab in (waiting, desk):
        await expect(tab.page.locator("#call")).to_be_visible()
        await tab.connected()
    return Consultation(server, cast, waiting, desk)


async def enter_waiting_room(tab: Tab, server: Server, name: str = PATIENT_NAME) -> None:
    page = tab.page
    await page.goto(server.patient_address)
    await page.locator("#name").fill(name)
    await page.locator("#name-form button[type=submit]").click()
    await expect(page.locator("#view-waiting")).to_be_visible()
    # Whether the page asks or finds the permission given is its own affair; the picture must come.
    allow, picture = page.locator("#preview-allow"), page.locator("#preview-picture")
    await expect(allow.or_(picture).locator("visible=true").first).to_be_visible()
    if await allow.is_visible():
        await allow.click()
    await expect(picture).to_be_visible()


async def open_desk(tab: Tab, server: Server) -> None:
    """Signs in by the printed address, which fills in its code."""
    await tab.page.goto(server.desk_address)
    await tab.page.locator("#sign-in-form button[type=submit]").click()
    await expect(tab.page.locator("#view-desk")).to_be_visible()


async def ring(desk: Tab, name: str = PATIENT_NAME) -> None:
    visit = desk.page.locator("#queue .visit", has_text=name)
    await visit.get_by_role("button").click()


async def accept(tab: Tab) -> None:
    await button(tab, ACCEPT).click()


def button(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("button", name=name)
