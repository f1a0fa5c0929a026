"""The load harness: this gateway beside nginx and its peers."""
