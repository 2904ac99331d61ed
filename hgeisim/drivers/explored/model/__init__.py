"""The explored model: contexts as automata, their steps and states, and the findings of both.

A context:  frames -> automaton -> contexts
A step:     step_checks -> transaction -> system
A state:    cached_step -> codebook -> invariants -> space
The end:    terminal_states, nontermination
Its costs:  budget
"""
