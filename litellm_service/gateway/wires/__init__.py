"""The wire formats: what clients ask and providers answer, as bytes and in one neutral form. Pure: no I/O."""
