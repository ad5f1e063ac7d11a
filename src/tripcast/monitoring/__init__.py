"""Watches whether forecasts still hold."""
