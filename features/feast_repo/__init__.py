"""What Feast knows: entities, views, their offline folders, and the feature services."""
