"""Users as actors."""

from issuer.foundation.actors import Actor, ActorKind
from issuer.people.models import User


def actor_of(user: User) -> Actor:
    """Return the actor behind the login `user`; its name is the user's id, which never changes."""
    return Actor(ActorKind.STAFF, str(user.pk), person=user.person_id)
