"""CONV_2D and FULLY_CONNECTED as counts of bits, where weights and inputs take two values each."""
