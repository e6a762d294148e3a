"""The closed set of changes, one file each, pure: an action never sends anything."""
