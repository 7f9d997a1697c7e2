"""The published efficiency table, measured on this machine."""
