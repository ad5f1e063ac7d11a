"""Where trip files come from: a folder, the published archive, or a generator of synthetic ones."""
