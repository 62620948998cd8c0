"""Whether minting may go on, per scope, and who holds it shut."""
