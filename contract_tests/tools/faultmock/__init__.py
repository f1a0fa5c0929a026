"""An upstream that meters what it served and fails on request."""
