"""Exams: how good the product is, on data and in the lab."""
