"""What happens inside a model while it trains: activations, gradients, parameters, structure.

Nothing here imports torch before something is measured, and nothing on the training thread waits
for a device: statistics are computed where the tensors are, and read in the background.
"""
