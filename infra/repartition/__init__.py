"""Another number of partitions, in place (``driftloop repartition``)."""
