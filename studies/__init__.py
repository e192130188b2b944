"""Scientific questions: one file, one study."""
