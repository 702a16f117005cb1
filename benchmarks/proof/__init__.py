"""The measurements of docs/proof.md."""
