"""What others read: the published snapshot and the questions asked of it. Nothing here opens the warehouse."""
