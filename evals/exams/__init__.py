"""Public data sets and lab scenarios as exams, one file each; their vocabularies stay here."""
