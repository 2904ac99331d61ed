"""The shell script that records a trace with bpftrace."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.trace.probe_points import MEMBERS, PROBES, SGEI, Argument, Probe

HEAD = """\
#!/bin/sh
# Records what KVM does with HGEI lines on this RISC-V host while COMMAND runs, as root:
#
#     sh record.sh COMMAND [ARGUMENT...]     # leaves trace.txt.gz
#
# Start it before the first VM, so that no line is held, and let COMMAND start the VMs.
#
# SGEI_AT    OFFSET:REGISTER in hgei_interrupt, such as 0x3a:s1, for the event sgei: see the
#            disassembly for the `csrc hgeie,REGISTER`; OFFSET is that of the instruction after it.
# OUT        the file
#
# Needs CONFIG_DEBUG_INFO_BTF, with KVM as a module CONFIG_DEBUG_INFO_BTF_MODULES too and a bpftrace
# that reads the types of modules; `bpftrace -lv 'struct imsic'` shows whether it does.  Functions
# that changed their names between v6.12 and v7.2 are looked up; v6.16 and later have no wakeon.
# The kernel's own events (sched, cpuhp, csd) are recorded by the tracefs script only.
set -eu
KALLSYMS=${KALLSYMS:-/proc/kallsyms}
OUT=${OUT:-trace.txt.gz}
missing=

die() { echo "record: $*" >&2; exit 1; }
[ $# -gt 0 ] || die "say which COMMAND to run"
[ "$(id -u)" = 0 ] || die "must be root"
[ "$(uname -m)" = riscv64 ] || die "this is not a riscv64 machine"
command -v bpftrace >/dev/null || die "bpftrace is not installed"
modprobe -q kvm || :            # the symbols of a module are there once it is loaded
has() { awk -v f="$1" '$3 == f { found = 1 } END { exit !found }' "$KALLSYMS"; }
has kvm_riscv_aia_alloc_hgei || die "this kernel's KVM has no AIA"

W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
trap 'exit 130' INT TERM
: >"$W/program"
probe() {	# event, kprobe or kretprobe, functions (the first existing one), output, its values
	for function in $3; do
		has "$function" || continue
		add "$2:$function" "$1" "$4" "$5"
		return 0
	done
	missing="$missing $1"
}
# Each line begins with its time, for sorting: CPUs' buffers are printed one after the other.
add() {	# where, event, output, its values
	line="%llu %s-%d [%03d] %llu.%09llu: $2: $3"'\\n'
	values="\\$t, comm, tid, cpu, \\$t / 1000000000, \\$t % 1000000000$4"
	printf '%s { $t = nsecs; printf("%s", %s); }\\n' "$1" "$line" "$values" >>"$W/program"
}
"""

TAIL = """\
printf 'BEGIN { printf("0 ready\\\\n"); }\\n' >>"$W/program"
[ -z "$missing" ] || echo "record: not recorded:$missing" >&2

export BPFTRACE_PERF_RB_PAGES="${BPFTRACE_PERF_RB_PAGES:-4096}"
bpftrace -q -o "$W/raw" "$W/program" 2>"$W/errors" &
tracer=$!
until [ -s "$W/raw" ]; do       # all probes are there
	kill -0 $tracer 2>/dev/null || { cat "$W/errors" >&2; die "bpftrace has failed"; }
	sleep 1
done
status=0
"$@" || status=$?
kill -INT $tracer
wait $tracer || :
if grep -qi 'lost.*events' "$W/raw" "$W/errors"; then
	echo "record: events were lost at unknown places: raise BPFTRACE_PERF_RB_PAGES" >&2
fi
grep -E '^[0-9]+ .*\\[[0-9]+\\]' "$W/raw" | sort -s -n -k1,1 | cut -d' ' -f2- | gzip >"$OUT"
echo "record: $OUT; COMMAND ended with status $status" >&2
exit $status
"""
_FORMATS = {"x64": "0x%llx", "s32": "%d", "u8": "%d"}
_CASTS = {"s32": "(int32)", "u8": "(uint8)", "x64": ""}


def script() -> str:
    """The whole script, POSIX sh with a bpftrace program inside."""
    return f"{HEAD}\n" + "\n".join(_body()) + f"\n\n{TAIL}"


def _body() -> Iterator[str]:
    for probe in PROBES:
        yield _line(probe)
    event, function, argument = SGEI
    at, register = "${SGEI_AT%:*}", "${SGEI_AT#*:}"
    yield 'if [ -n "${SGEI_AT:-}" ]; then'
    yield f'\tadd "kprobe:{function}+{at}" {event} "{argument}=0x%llx" ", reg(\\"{register}\\")"'
    yield f'else missing="$missing {event}"; fi'


def _line(probe: Probe) -> str:
    kind = "kretprobe" if probe.at_return else "kprobe"
    output = " ".join(f"{each.name}={_FORMATS[each.kind]}" for each in probe.arguments)
    values = "".join(f", {_value(each)}" for each in probe.arguments)
    return f"probe {probe.event} {kind} '{' '.join(probe.functions)}' '{output}' '{values}'"


def _value(argument: Argument) -> str:
    """An argument in bpftrace's language; a vCPU without an interrupt file has no VS-file."""
    if not argument.number:
        return "(int32)retval"
    place = f"arg{argument.number - 1}"
    if not argument.member:
        return f"{_CASTS[argument.kind]}{place}"
    structure, member = MEMBERS[argument.member]
    if structure == "imsic":
        state = f"((struct kvm_vcpu *){place})->{MEMBERS['IMSIC_STATE'][1]}"
        return f"{state} ? ((struct imsic *){state})->{member} : -1"
    return f"((struct {structure} *){place})->{member}"
