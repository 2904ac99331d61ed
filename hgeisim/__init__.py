"""hgeisim: test and size the RISC-V KVM code that hands HGEI lines to virtual CPUs."""

__version__ = "0.1.0"
