"""What stands between an approved plan and the world: is it covered, is it fresh, what would undo it."""
