"""The engines that Headwater can compute with."""
