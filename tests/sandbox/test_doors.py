"""How the story reads pages: their forms, and what they say."""

from issuer.sandbox.doors import Page

PAGE = """
<div class="mb-3 px-3 bg-green-100">Accept: <b>done</b>.</div>
<form method="post" action="/accept/">
  <input type="hidden" name="csrfmiddlewaretoken" value="abc">
  <input name="trade_date">
  <input type="checkbox" name="unticked" value="1">
  <input type="checkbox" name="ticked" value="1" checked>
  <button type="submit">Accept</button>
</form>
<input name="of-no-form" value="1">
<p class="errornote">Refused.<br>Twice.</p>
<p>Not a message.</p>
"""


class TestPage:
    def test_finds_what_it_says(self) -> None:
        assert Page(PAGE).messages == ["Accept: done .", "Refused. Twice."]

    def test_finds_what_a_form_sends(self) -> None:
        [form] = Page(PAGE).forms

        assert form.action == "/accept/"
        assert form.fields == {"csrfmiddlewaretoken": "abc", "trade_date": "", "ticked": "1"}
