"""What administrators set: who may, which fields, what they mean, and how it comes into force."""
