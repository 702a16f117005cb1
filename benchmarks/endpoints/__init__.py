"""Both ends of a measured connection, as light processes: load generators and targets."""
