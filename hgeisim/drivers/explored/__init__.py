"""The explored driver: a strategy picks the context that steps next; time is ignored.

One scenario:      explored_scenario -> model -> strategies -> counterexample
What it covered:   reach, power
Data races:        races
Against a base:    base, baselines, comparison -> patch_trial, lock_trial, schedule_findings, series
"""
