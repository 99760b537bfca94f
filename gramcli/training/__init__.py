"""How `gram align` learns: rows and batches, the loop with early stopping, its state on disk, ranks under torchrun."""
