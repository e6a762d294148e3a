"""One adapter per outside thing; each maps its foreign errors to ours."""
