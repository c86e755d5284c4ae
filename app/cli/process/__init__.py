"""Starting, supervising and stopping the service's processes."""
