"""RISC-V objects as a compiler writes them, interpreted; they know no kernel and no driver."""
