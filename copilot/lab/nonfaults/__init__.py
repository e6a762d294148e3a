"""What looks suspicious and is none: one file per situation whose right answer is *no fault*."""
