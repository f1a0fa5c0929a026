"""Plain types of the gateway: errors, money, time, usage. No I/O."""
