"""The timed driver: SimPy decides what happens next, by the clock.

Each context of execution is a SimPy process in an ordinary `simpy.Environment`; hotplug plans,
devices, VM arrivals and load balancing are SimPy processes too, and users may add more.
"""
