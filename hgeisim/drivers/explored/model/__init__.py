"""What is explored: contexts as automata, steps, states and what the checks say about them.

What a context is:  liveness -> frames -> held -> automaton -> contexts
What a step is:     placement -> contention -> transaction -> system
What a state is:    answer -> codebook -> invariants -> space -> ends
"""
