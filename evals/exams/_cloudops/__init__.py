"""Reading the recorded incidents of Cloud-OpsBench: its envelopes and its vocabulary stay here."""
