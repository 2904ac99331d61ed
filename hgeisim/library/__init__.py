"""The one door: whatever a command does, as functions and results in Python.

    import hgeisim

    scenario = hgeisim.load("big-little", variant="v6.12", until="5ms")
    result = hgeisim.run(scenario)              # a table as text, in a notebook as a table
    result.summary["harts"][4]["exhausted"]
    result.owners[result.owners["hart"] == 4]   # tables are numpy structured arrays
    result.plot("lines", hart=4).save("lines.png")

    found = hgeisim.explore("patch-race", variant="v7.3+mine.py:Mine")
    print(found)                                # the text of the command
    print(found.mail())                         # one finding, for a mailing list

`load`, `scenarios`, `variants`, `topology` and `canonical` are about what runs; `run`, `read`,
`explain` and `power` about runs in time; `explore`, `replay`, `series` and `museum` about searches;
`compare`, `sweep`, `capacity` and `validate` about many runs, in `hgeisim.study`;
`hgeisim.locks` about lock order and `hgeisim.trace` about traces of a real kernel.

The `repr` of a result is short, its `str` is the text of the command, its `document` is the JSON of
the command.  A mistake of a user is an `hgeisim.InputError`, which names the argument.  Modules are
imported when one of their functions is first named.
"""
