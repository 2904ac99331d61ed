"""The explored driver: a strategy picks which context steps next; time is ignored.

liveness -> frames -> automaton -> system -> exhaustive / walk -> shrink -> token, replay
"""
