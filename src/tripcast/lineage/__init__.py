"""Which trips and which code made which forecast: runs, their clones and tags, repeating and forgetting."""
