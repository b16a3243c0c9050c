"""Lets other people's ``import wandb`` mean this shim."""
