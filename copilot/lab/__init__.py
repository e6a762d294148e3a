"""The embedded lab: a simulated GPU cluster that breaks and speaks real protocols."""
