"""What is said of models: real ones, random ones of every architecture, pipelines."""
