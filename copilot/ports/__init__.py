"""What the product asks of the outside world; looking (``read``) and touching (``write``) are different ports."""
