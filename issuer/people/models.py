"""Who acts: persons, the logins they use, and their roles."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from issuer.foundation.fields import IdField
from issuer.people.roles import Role


class Person(models.Model):
    """A human being. Four eyes are counted by person, for one person may have several logins."""

    id = IdField()
    name = models.CharField(max_length=128)

    class Meta:
        constraints = [
            models.CheckConstraint(name="person_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A login of a person on staff."""

    id = IdField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="users")

    class Meta:
        constraints = [
            # A superuser may do everything, whatever the matrix of roles says.
            models.CheckConstraint(name="no_login_is_superuser", condition=Q(is_superuser=False)),
        ]
        permissions = [("manage_roles", "Can grant and revoke roles")]

    def __str__(self) -> str:
        return self.get_username()


class RoleAssignment(models.Model):
    """That a person has a role, from when to when, and who said so."""

    id = IdField()
    person = models.ForeignKey(Person, models.PROTECT, related_name="role_assignments")
    role = models.CharField(max_length=32, choices=Role)
    granted_by = models.CharField(max_length=128)
    granted_at = models.DateTimeField()
    revoked_by = models.CharField(max_length=128, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="role_known", condition=Q(role__in=Role.values)),
            models.UniqueConstraint(
                name="role_held_once_at_a_time",
                fields=["person", "role"],
                condition=Q(revoked_at=None),
            ),
            models.CheckConstraint(
                name="role_revocation_has_time_and_author",
                condition=Q(revoked_at=None, revoked_by="")
                | Q(revoked_at__isnull=False) & ~Q(revoked_by=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_role_display()}"
