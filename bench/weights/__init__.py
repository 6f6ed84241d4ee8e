"""`bench weights`: what rounding costs at how many bytes, by scheme and by part, on the network of `bench mix`."""
