"""What several tests share: fakes of the seams, and ways to run other processes."""
