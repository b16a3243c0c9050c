"""What the pages ask for, a file for each subject. A view reads a store; it knows no HTTP."""
