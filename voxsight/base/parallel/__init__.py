"""Work shared by several processes, and by several machines."""
