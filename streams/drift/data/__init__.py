"""Data drift: windows of scores held against the reference of the version that scored them."""
