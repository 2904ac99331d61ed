"""The workload of a machine: VMs come and go, devices send MSIs, load moves, HARTs go offline.

Each of these is an ordinary SimPy process.  Each random time comes from a stream named after its
purpose, so two kernels meet the same arrivals.
"""
