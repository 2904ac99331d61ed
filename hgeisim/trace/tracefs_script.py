"""The shell script that records a trace with tracefs and kprobes."""

from __future__ import annotations

from collections.abc import Iterator

from hgeisim.trace.probe_points import (
    MEMBERS,
    ON_DEMAND,
    PROBES,
    SGEI,
    TRACEPOINTS,
    Argument,
    Probe,
)

HEAD = """\
#!/bin/sh
# Records what KVM does with HGEI lines on this RISC-V host while COMMAND runs, as root:
#
#     KVM_DEBUG=/path/to/kvm.ko sh record.sh COMMAND [ARGUMENT...]     # leaves trace.txt.gz
#
# Start it before the first VM, so that no line is held, and let COMMAND start the VMs.
#
# KVM_DEBUG  kvm.ko, or vmlinux where KVM is built in, of the running kernel and with DWARF
#            (CONFIG_DEBUG_INFO_DWARF5): gdb reads offsets of structures from it.  Without it some
#            events are left out, and `hgeisim trace check` compares less.
# SGEI_AT    OFFSET:REGISTER in hgei_interrupt, such as 0x3a:s1, for the event sgei.  Look at
#            gdb -batch -ex 'disassemble /r hgei_interrupt' "$KVM_DEBUG"
#            for the `csrc 0x604,REGISTER` (HGEIE); OFFSET is that of the instruction after it.
# MORE       frequent events, such as "@MORE@"
# OUT        the file; BUFFER_KB  the buffer of each CPU
#
# Needs CONFIG_KPROBE_EVENTS; no BTF.  Written for v6.12 to v7.2; functions that changed their names
# are looked up.  v6.16 and later have no wakeon.  None of the functions is inlined.
# A kretprobe that finds no free instance misses its event, as does a probe that is hit inside the
# handler of another one; such misses are counted and reported at the end.
set -eu
T=${TRACEFS:-/sys/kernel/tracing}
KALLSYMS=${KALLSYMS:-/proc/kallsyms}
OUT=${OUT:-trace.txt.gz}
I=$T/instances/hgeisim
missing=

die() { echo "record: $*" >&2; exit 1; }
[ $# -gt 0 ] || die "say which COMMAND to run"
[ "$(id -u)" = 0 ] || die "must be root"
[ "$(uname -m)" = riscv64 ] || die "this is not a riscv64 machine"
[ -d "$T/events" ] || mount -t tracefs tracefs "$T" || die "no tracefs: CONFIG_FTRACE"
[ -e "$T/kprobe_events" ] || die "no $T/kprobe_events: CONFIG_KPROBE_EVENTS"
modprobe -q kvm || :            # the symbols of a module are there once it is loaded
has() { awk -v f="${1%%+*}" '$3 == f { found = 1 } END { exit !found }' "$KALLSYMS"; }
has kvm_riscv_aia_alloc_hgei || die "this kernel's KVM has no AIA"
[ ! -e "$I" ] || die "$I exists: wait for the recording that uses it, or rmdir it"

offset() {	# structure, member: its offset, or nothing
	[ -n "${KVM_DEBUG:-}" ] || return 0
	gdb -batch -nx -ex "print/d (long)&((struct $1 *)0)->$2" "$KVM_DEBUG" 2>/dev/null |
		sed -n 's/^\\$1 = //p'
}
probe() {	# event, p or r, functions (the first existing one), arguments
	for function in $3; do
		has "$function" || continue
		if echo "$2:hgeisim/$1 $function $4" >>"$T/kprobe_events"; then
			echo 1 >"$I/events/hgeisim/$1/enable"
			return 0
		fi
		echo "record: no probe at $function; $T/error_log says why" >&2
	done
	missing="$missing $1"
}
tracepoint() {	# group, event
	if [ -e "$I/events/$1/$2/enable" ]; then echo 1 >"$I/events/$1/$2/enable"
	else missing="$missing $2"; fi
}
clean_up() {
	echo 0 >"$I/tracing_on"
	echo 0 >"$I/events/enable"
	wait                        # for the reader of trace_pipe
	sed -n 's|^[pr][0-9]*:\\(hgeisim/[a-z_]*\\) .*|-:\\1|p' "$T/kprobe_events" >"$OUT.probes"
	while read -r gone; do echo "$gone" >>"$T/kprobe_events"; done <"$OUT.probes"
	rm -f "$OUT.probes"
	rmdir "$I"
}

mkdir "$I"
trap clean_up EXIT
trap 'exit 130' INT TERM
echo 0 >"$I/tracing_on"
echo mono >"$I/trace_clock"     # one clock for all CPUs; the default, local, need not be
echo "${BUFFER_KB:-16384}" >"$I/buffer_size_kb"
"""

TAIL = """\
[ -z "$missing" ] || echo "record: not recorded:$missing" >&2

# trace_pipe is read all the time, and shows where events were lost, which `trace` does not.
cat "$I/trace_pipe" | gzip >"$OUT" &
echo 1 >"$I/tracing_on"
echo begin >"$I/trace_marker"
status=0
"$@" || status=$?
echo end >"$I/trace_marker"
echo 0 >"$I/tracing_on"         # the reader reaches the end of the buffer, and ends
wait
echo "record: $OUT; COMMAND ended with status $status" >&2
awk -v ours=" @EVENTS@ " 'index(ours, " " $1 " ") { missed += $3 }
     END { if (missed) print "record: " missed " hits of probes were missed" }' \\
	"$T/kprobe_profile" >&2
exit $status
"""


def script() -> str:
    """The whole script, POSIX sh."""
    more = " ".join(event for events in ON_DEMAND.values() for event in events)
    events = " ".join(probe.event for probe in PROBES)
    body = "\n".join(_body())
    return f"{HEAD.replace('@MORE@', more)}\n{body}\n\n{TAIL.replace('@EVENTS@', events)}"


def _body() -> Iterator[str]:
    for member, (structure, path) in MEMBERS.items():
        yield f"{member}=$(offset {structure} {path})"
    for probe in PROBES:
        yield from _guarded(probe)
    event, function, argument = SGEI
    yield (
        f'if [ -n "${{SGEI_AT:-}}" ]; then '
        f'probe {event} p "{function}+${{SGEI_AT%:*}}" "{argument}=%${{SGEI_AT#*:}}:x64"'
    )
    yield f'else missing="$missing {event}"; fi'
    for group, names in TRACEPOINTS.items():
        yield f"for event in {' '.join(names)}; do tracepoint {group} $event; done"
    yield "for event in ${MORE:-}; do"
    for group, names in ON_DEMAND.items():
        yield f"\tcase $event in {'|'.join(names)}) tracepoint {group} $event ;; esac"
    yield "done"


def _guarded(probe: Probe) -> Iterator[str]:
    """The probe; if an offset is not known, one without the arguments that need it, or none."""
    full = _line(probe, probe.arguments)
    if not probe.members:
        yield full
        return
    known = "".join(f"${{{member}:+x}}" for member in dict.fromkeys(probe.members))
    yield f'if [ "{known}" = {"x" * len(set(probe.members))} ]; then {full}'
    if probe.event == "alloc":
        plain = tuple(argument for argument in probe.arguments if not argument.member)
        yield f"else {_line(probe, plain)}; fi"
    else:
        yield f'else missing="$missing {probe.event}"; fi'


def _line(probe: Probe, arguments: tuple[Argument, ...]) -> str:
    kind = "r256" if probe.at_return else "p"
    fetched = " ".join(f"{each.name}={_fetched(each)}:{each.kind}" for each in arguments)
    return f'probe {probe.event} {kind} "{" ".join(probe.functions)}" "{fetched}"'


def _fetched(argument: Argument) -> str:
    """The place of an argument for kprobes, with the offsets as variables of the script."""
    if not argument.number:
        return r"\$retval"
    place = rf"\$arg{argument.number}"
    if argument.member.startswith("VSFILE"):
        place = f"+${{IMSIC_STATE}}({place})"
    return f"+${{{argument.member}}}({place})" if argument.member else place
