"""What can go wrong in the lab: one file per fault, each changes a cause and knows the truth."""
