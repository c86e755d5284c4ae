"""What shows that a session was opened by a password, and who did something from where."""

import copy
import json
import pickle

from app.domain.access.credentials import Actor, digest_secret, prove_password


def test_a_proof_is_of_one_password_and_one_session() -> None:
    proof = prove_password("a-token", "correct horse")
    assert prove_password("a-token", "correct horse") == proof
    assert prove_password("a-token", "another horse") != proof
    assert prove_password("b-token", "correct horse") != proof
    # Who reads it without the token can compare it with nothing that they know.
    assert proof != digest_secret("correct horse")


def test_an_actor_keeps_its_address_in_copies_and_is_a_name_otherwise() -> None:
    actor = Actor("session:Ada", "192.0.2.7")
    for copied in (copy.deepcopy(actor), copy.copy(actor), pickle.loads(pickle.dumps(actor))):
        assert (copied, copied.address) == ("session:Ada", "192.0.2.7")
    assert json.dumps(actor) == '"session:Ada"'
