"""What holds on average only, and takes minutes to see."""
