"""Values that are more than numbers: images, tables, audio and their like."""
