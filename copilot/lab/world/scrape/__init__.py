"""What each exporter exposes, written into the history at every scrape; one module per exporter."""
