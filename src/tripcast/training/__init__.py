"""Forecasts, their rolling-origin backtest and its figures, all in the warehouse."""
