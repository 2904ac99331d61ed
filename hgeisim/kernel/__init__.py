"""The kernel paths: each function of RISC-V KVM's AIA code, written once, driven by any driver."""
