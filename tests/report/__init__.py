"""What a reader sees: HTML, Markdown, the terminal; in a browser too."""
