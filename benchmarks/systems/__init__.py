"""What is compared, each started and stopped."""
