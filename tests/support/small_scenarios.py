"""Small scenarios as text, each for one function or two."""

from __future__ import annotations

TWO = 'harts = [{ count = 2, guest_files = 1 }]\n[kernel]\npreemption = "full"\n[run]\n'
VM = """
[[vm]]
name = "w"
run = { distribution = "constant", value = "20us" }
"""
SMALL = {
    "msi-to-sleeper": f"""
[machine]
{TWO}
until = "3ms"
[[vcpu]]
name = "v1"
hart = 0
[[task]]
name = "vcpu/v1"
vcpu = "v1"
does = ["block"]
[[task]]
name = "guest"
hart = 1
does = ["msi v1"]
""",
    "reboot": f"""
[machine]
{TWO}
until = "3ms"
[[task]]
name = "reboot"
hart = 0
does = ["shutdown"]
""",
    "ticks": f"""
[machine]
harts = [{{ guest_files = 1 }}]
[kernel]
preemption = "full"
[run]
until = "3ms"
quiet = "1ms"
{VM}
vcpus = 2
msi = {{ distribution = "constant", value = "300us" }}
tick = {{ distribution = "constant", value = "200us" }}
""",
    "destroyed": f"""
[machine]
{TWO}
until = "3ms"
{VM}
vcpus = 1
msi = {{ distribution = "constant", value = "20ms" }}
destroyed = "1ms"
""",
    "saved": """
[machine]
harts = [{ count = 2, guest_files = 1 }]
[[vcpu]]
name = "v1"
hart = 0
[[task]]
name = "monitor"
hart = 1
does = ["rw_attr v1"]
""",
    "reset-swfile": """
[machine]
harts = [{ count = 2, guest_files = 1 }]
[[vcpu]]
name = "v1"
hart = 0
[[task]]
name = "vcpu/v1"
vcpu = "v1"
does = ["run"]
[[task]]
name = "monitor"
hart = 1
does = ["reset v1"]
""",
    "lineless": f"""
[machine]
harts = [{{ count = 2, guest_files = 3, geilen = 0 }}]
[run]
until = "1ms"
{VM}
vcpus = 1
mode = "hwaccel"
msi = {{ distribution = "constant", value = "300us" }}
""",
    "pageless": f"""
[machine]
harts = [{{ guest_files = 1, geilen = 3 }}]
[run]
until = "1ms"
{VM}
vcpus = 3
msi = {{ distribution = "constant", value = "300us" }}
""",
}
