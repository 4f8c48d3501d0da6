"""What tests share: where the data beside the checkout lies, which tools are there, text goldens."""
