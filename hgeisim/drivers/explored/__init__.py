"""The explored driver: a strategy picks which context steps next; time is ignored.

explored_scenario -> model -> strategies -> counterexample
"""
