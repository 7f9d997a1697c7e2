"""What is wrong with the service, and what to do about it: each check a function of what it looked at."""
