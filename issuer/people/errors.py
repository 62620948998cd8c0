"""Refusals of this room."""

from issuer.foundation import errors


class UsernameTaken(errors.Conflict):
    """Another login has the name."""

    code = "username-taken"
    title = "Another login has this name"


class PasswordWeak(errors.Rejected):
    """A password is too easy to guess."""

    code = "password-weak"
    title = "The password is too easy to guess"


class RoleHeld(errors.Conflict):
    """The person has the role already."""

    code = "role-held"
    title = "The person has this role already"


class RoleNotHeld(errors.Conflict):
    """The person does not have the role."""

    code = "role-not-held"
    title = "The person does not have this role"


class OwnRole(errors.Forbidden):
    """A person may not change their own roles."""

    code = "own-role"
    title = "Nobody changes their own roles"


class OwnLogin(errors.Forbidden):
    """A person may not shut their own login."""

    code = "own-login"
    title = "Nobody shuts their own login"


class LoginShut(errors.Conflict):
    """The login is shut already."""

    code = "login-shut"
    title = "The login is shut already"
