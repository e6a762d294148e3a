"""Remedies, one per file: Diagnosis -> Proposal, or None."""
