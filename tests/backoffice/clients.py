"""Staff who look at pages, and press what is on them."""

import html

from django.test import Client

from issuer.people.models import User


def client_of(user: User) -> Client:
    """Return a client that is logged in as `user`."""
    client = Client()
    client.force_login(user)
    return client


def text_of(client: Client, address: str) -> str:
    """Return the source of a page that opens, entities resolved and spaces made single."""
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return " ".join(html.unescape(answer.content.decode()).split())
