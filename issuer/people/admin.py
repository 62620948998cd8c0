"""People, their logins and roles, as an administrator keeps them and others see them."""

from datetime import datetime
from typing import Final

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from issuer.foundation.actors import Actor
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.people import forms, services
from issuer.people.acts import Act, ActsAdmin
from issuer.people.histories import named
from issuer.people.models import Person, RoleAssignment, User
from issuer.people.roles import Role

MANAGE: Final = "people.manage_roles"


def _register(
    _: None,
    *,
    person_name: str,
    username: str,
    password: str,
    role: str,
    actor: Actor,
    at: datetime,
) -> Person:
    return services.register_user(
        person_name=person_name,
        username=username,
        password=password,
        roles=[Role(role)],
        actor=actor,
        at=at,
    ).person


def _add_login(
    person: Person, *, username: str, password: str, actor: Actor, at: datetime
) -> Person:
    services.register_user(
        person=person, username=username, password=password, roles=[], actor=actor, at=at
    )
    return person


def _grant(person: Person, *, role: str, actor: Actor, at: datetime) -> Person:
    services.grant_role(person=person, role=Role(role), actor=actor, at=at)
    return person


def _revoke(person: Person, *, role: str, actor: Actor, at: datetime) -> Person:
    services.revoke_role(person=person, role=Role(role), actor=actor, at=at)
    return person


def _shut(user: User, *, actor: Actor, at: datetime) -> User:
    return services.shut_login(user.pk, actor=actor, at=at)


class UserInline(ReadOnlyAdmin, TabularInline):
    """The logins of a person, under it."""

    model = User
    fields = ("username", "is_active", "last_login", "date_joined")
    extra = 0


class RoleAssignmentInline(ReadOnlyAdmin, TabularInline):
    """The roles of a person, now and before."""

    model = RoleAssignment
    extra = 0


@admin.register(Person)
class PersonAdmin(ActsAdmin, ModelAdmin):
    """Who is on staff."""

    list_display = ("name",)
    search_fields = ("name", "users__username")
    ordering = ("name",)
    inlines = (UserInline, RoleAssignmentInline)
    opening = Act(
        name="register",
        label="Register a person",
        consequence="A person who is new to the house gets a login and may act at once.",
        permission=MANAGE,
        take=_register,
        form=forms.PersonForm,
    )
    acts = (
        Act(
            name="add-login",
            label="Add a login",
            consequence="The person gets one login more. It has the same roles and the same eyes.",
            permission=MANAGE,
            take=_add_login,
            form=forms.LoginForm,
        ),
        Act(
            name="grant-role",
            label="Grant a role",
            consequence="The person may do at once what the role allows.",
            permission=MANAGE,
            take=_grant,
            form=forms.RoleForm,
        ),
        Act(
            name="revoke-role",
            label="Revoke a role",
            consequence="The person may no longer do what the role allows, at once.",
            permission=MANAGE,
            take=_revoke,
            form=forms.RoleForm,
            grave=True,
        ),
    )


@admin.register(User)
class UserAdmin(ActsAdmin, ModelAdmin):
    """The logins of people on staff; their password hashes are shown to nobody."""

    list_display = ("username", "person", "is_active", "last_login", "date_joined")
    list_filter = ("is_active",)
    list_select_related = ("person",)
    search_fields = ("username", "person__name")
    ordering = ("username",)
    fields = ("username", "person", "is_active", "last_login", "date_joined")
    acts = (
        Act(
            name="shut",
            label="Shut this login",
            consequence="It is logged out everywhere and never opens again.",
            permission=MANAGE,
            take=_shut,
            offered=lambda user: user.is_active,
            grave=True,
        ),
    )


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(ReadOnlyAdmin, ModelAdmin):
    """Who has or had which role."""

    list_display = ("person", "role", "granted_at", "granter", "revoked_at", "revoker")
    granter = named("granted_by", "Granted by")
    revoker = named("revoked_by", "Revoked by")
    list_filter = ("role",)
    list_select_related = ("person",)
    search_fields = ("person__name",)
    ordering = ("-granted_at", "-id")
