"""What the pages about people ask."""

from django import forms
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from issuer.people.roles import Role


class LoginForm(forms.Form):
    """A login for somebody."""

    username = forms.CharField(max_length=150, widget=UnfoldAdminTextInputWidget)
    password = forms.CharField(
        max_length=128,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="To begin with; its owner changes it, and adds a second factor.",
    )


class PersonForm(LoginForm):
    """A person who is new to the house, with a first login and a first role."""

    field_order = ("person_name", "username", "password", "role")

    person_name = forms.CharField(label="Name", max_length=128, widget=UnfoldAdminTextInputWidget)
    role = forms.ChoiceField(choices=Role.choices, widget=UnfoldAdminSelectWidget)


class RoleForm(forms.Form):
    """One role."""

    role = forms.ChoiceField(choices=Role.choices, widget=UnfoldAdminSelectWidget)
