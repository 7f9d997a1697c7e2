"""What a study will take, before anything is spent: epochs, wall time, accelerator hours, money."""
