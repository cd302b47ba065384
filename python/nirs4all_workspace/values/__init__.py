"""Values: their conversion, and the rules for storing them."""
