"""What a chat model may add: it asks read-only questions, and code checks every word it says."""
