"""Python handlers: packaging, worker processes, the fence around them, Arrow in and out."""
