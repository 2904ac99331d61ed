"""The explored driver: a strategy picks which context steps next; time is ignored.

explorer -> model -> strategies -> counterexample
"""
