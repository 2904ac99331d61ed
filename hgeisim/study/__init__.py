"""Studies: many replications of a scenario, and what they say with an interval.

metrics      what a replication measures, each metric once
replication  one pure function: scenario, variant and seed in, a flat record out
pool         where replications run: here, in processes, on a Dask cluster
statistics   intervals of means, quantiles, rare events and paired differences
warm_up      how much of a run comes before it has settled
comparison   variants under common random numbers
sweep        every combination of some values, kept in one file
capacity     the least of something that keeps a target
validation   the simulator against theory: `cases`, what `observe` sees of them, and `theory`
"""
