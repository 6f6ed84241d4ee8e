"""`bench mix`: what mixing a context model into a network is worth, at what cost, on a text and network of its own."""
