"""What happens to the machine: VMs come and go, devices send MSIs, load moves, HARTs go offline.

All of it is ordinary SimPy processes; each random time comes from a stream that is named after what
it is for, so that two kernels meet the same arrivals.
"""
