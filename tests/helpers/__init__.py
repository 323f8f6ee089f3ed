"""What tests share; they import from nowhere else of the tests."""
