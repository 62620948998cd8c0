"""What the machine room remembers."""

from django.db import models


class Heartbeat(models.Model):
    """When the beat last reached a worker; the one row that `tasks.beat` renews.

    `beaten_at` is the database's own time, since the demo world's clock may jump.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    beaten_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="heartbeat_is_one_row", condition=models.Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"Heartbeat of {self.beaten_at:%Y-%m-%d %H:%M:%S}"
