"""Read-only questions, one family per file: query, phrasings, rendering."""
