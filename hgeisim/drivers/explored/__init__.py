"""The explored driver: a strategy picks which context steps next; time is ignored.

What a context is:  liveness -> frames -> held -> automaton
What a step is:     contention -> transaction -> system
What a state is:    answer -> codebook -> invariants -> space -> ends
What happens next:  strategy -> exhaustive / walk / lock_walks -> verdict
What is reported:   replay -> shrink, isolate -> token
"""
