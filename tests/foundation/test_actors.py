from issuer.foundation.actors import Actor, ActorKind, system


class TestActor:
    def test_is_written_with_the_door_it_came_in_by(self) -> None:
        assert str(Actor(ActorKind.PARTNER, "key-1")) == "PARTNER:key-1"

    def test_of_the_house_is_no_person(self) -> None:
        assert system("audit.seal_trail") == Actor(ActorKind.SYSTEM, "audit.seal_trail", None)
