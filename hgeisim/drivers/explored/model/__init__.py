"""What is explored: contexts as automata, steps, states and what the checks say about them.

What a context is:  frames -> automaton -> contexts
What a step is:     step_checks -> transaction -> system
What a state is:    cached_step -> codebook -> invariants -> space
Where it ends:      terminal_states, nontermination
"""
