"""`amnl-tune plan`, `bench`, `profile`, `lr-find`: what this machine takes."""
