"""Sensor chips on a bus: bytes in, frames out. Imports nothing of ours."""
