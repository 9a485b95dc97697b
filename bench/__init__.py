"""What Headwater claims to be fast at, measured: both sides in the same run, their answers compared.

``python -m bench`` prints one JSON; ``python -m bench.readme`` writes the README's table from it.
"""
