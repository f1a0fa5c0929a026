"""Write it down: settlements, recovery, audit."""
