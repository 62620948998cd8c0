"""How the story reads pages: their forms, buttons and messages."""

from issuer.sandbox.doors import read_page

PAGE = """
<ul><li data-message>Accepted <b>desk-1042</b>.</li></ul>
<form method="post" action="/somewhere/">
  <input type="hidden" name="csrfmiddlewaretoken" value="abc">
  <input type="checkbox" name="unticked" value="1">
  <input type="checkbox" name="ticked" value="1" checked>
  <button type="submit" name="act" value="accept">Accept</button>
  <button type="submit" name="act" value="confirm" disabled>Confirm</button>
</form>
<p>Not a message.</p>
"""


class TestReadPage:
    def test_finds_messages(self) -> None:
        assert read_page(PAGE).messages == ["Accepted desk-1042 ."]

    def test_finds_what_a_form_sends(self) -> None:
        [form] = read_page(PAGE).forms

        assert form.action == "/somewhere/"
        assert form.fields == {"csrfmiddlewaretoken": "abc", "ticked": "1"}

    def test_tells_which_buttons_can_be_pressed(self) -> None:
        [form] = read_page(PAGE).forms

        assert form.buttons == [("act", "accept", False), ("act", "confirm", True)]
