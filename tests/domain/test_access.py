"""What shows that a session was opened by a password."""

from app.domain.access import digest_secret, prove_password


def test_a_proof_is_of_one_password_and_one_session() -> None:
    proof = prove_password("a-token", "correct horse")
    assert prove_password("a-token", "correct horse") == proof
    assert prove_password("a-token", "another horse") != proof
    assert prove_password("b-token", "correct horse") != proof
    # Who reads it without the token can compare it with nothing that they know.
    assert proof != digest_secret("correct horse")
