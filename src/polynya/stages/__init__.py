"""Files in stages: where they are, their formats, reading and writing them."""
