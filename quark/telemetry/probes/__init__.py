"""What measures the machine: one device a file, and each behind a barrier."""
