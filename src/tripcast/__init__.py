"""Bike-share trip files to daily forecasts per station, computed in a warehouse through Snowpark."""
