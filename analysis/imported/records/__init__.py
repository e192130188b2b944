"""What other tools wrote, read: one module for each kind of record, which returns a `Recorded`."""
