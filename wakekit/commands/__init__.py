"""What each command does: a module per command, imported only when it is typed, with one function `command`."""
