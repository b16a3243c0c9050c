"""The callbacks and patches that W&B itself ships for other libraries."""
