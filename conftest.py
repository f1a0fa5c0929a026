"""What every suite's tests share: Hypothesis without a clock, since a busy machine is no fault of the code."""

from hypothesis import settings

settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")
