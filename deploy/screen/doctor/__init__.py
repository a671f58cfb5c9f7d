"""What `inv check` shows: `findings` draws them as lines, and as JSON."""
