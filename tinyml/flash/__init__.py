"""What stands between a firmware and a board: tools, ports, upload."""
