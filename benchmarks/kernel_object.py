"""Build aia.o and aia_imsic.o of a kernel for RISC-V, for `--variant ...+object:BUILD`.

    make kernel-object                    v6.12, from Debian's package linux-source-6.12
    make kernel-object VERSION=7.3        another package, where there is one
    make kernel-object PATCH=FILE         with a patch on top, in a build of its own
    make kernel-object PREEMPTION=none    the default is full, as in most scenarios
    make kernel-object OPTIONS=-O1        more options of the compiler, in a build of its own

Sources and objects are in out/kernel-object, which git ignores; they are never part of hgeisim.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OUT = Path("out/kernel-object")
CROSS = "riscv64-linux-gnu-"
TOOLS = (f"{CROSS}gcc", "make", "flex", "bison", "bc", "tar", "xz", "dpkg-deb", "patch")
"""The commands that are needed."""
FILES = ("aia", "aia_imsic", "vmid")
CONFIG = (
    *("-e", "KVM", "-d", "DEBUG_INFO_NONE", "-e", "DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT"),
    *("-d", "DEBUG_INFO_BTF", "-d", "DEBUG_INFO_REDUCED", "-d", "PREEMPT_DYNAMIC"),
)
PREEMPTION = {"none": "PREEMPT_NONE", "voluntary": "PREEMPT_VOLUNTARY", "full": "PREEMPT"}


class CannotBuild(Exception):
    """A build is not possible; the sentence says why."""


def executed(words: list[str], where: Path | None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603
        words, cwd=where, capture_output=True, text=True, check=False
    )


def run(command: Sequence[str | Path], where: Path | None = None) -> str:
    """Run a command; its output is shown only if it fails."""
    words = [str(each) for each in command]
    done = executed(words, where)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise CannotBuild(f"{' '.join(words[:3])} failed:\n{said[-2000:]}")
    return done.stdout


def check(patch: str | None, preemption: str) -> None:
    """All commands are there, and the variables make sense."""
    if preemption not in PREEMPTION:
        raise CannotBuild(f"PREEMPTION={preemption}: known are {', '.join(PREEMPTION)}")
    if patch and not Path(patch).is_file():
        raise CannotBuild(f"PATCH={patch}: there is no such file")
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise CannotBuild(f"missing commands: {', '.join(missing)}; see docs/object-code.md")


def source(version: str) -> Path:
    """The unpacked source of a version, fetched if need be."""
    tree = OUT / f"linux-{version}"
    if tree.exists():
        return tree
    package = f"linux-source-{version}"
    archive = Path(f"/usr/src/{package}.tar.xz")
    if not archive.exists():
        archive = fetched(package)
    print(f"unpacking {archive.name}", flush=True)
    part = OUT / f"linux-{version}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    run(["tar", "-xJf", archive, "-C", part, "--strip-components=1"])
    part.rename(tree)
    return tree


def fetched(package: str) -> Path:
    """The archive in a package of Debian, by apt-get."""
    OUT.mkdir(parents=True, exist_ok=True)
    if not list(OUT.glob(f"{package}_*.deb")):
        print(f"fetching {package}", flush=True)
        try:
            run(["apt-get", "download", package], OUT)
        except CannotBuild as error:
            words = f"no package {package} here; `apt-cache search linux-source` lists them"
            raise CannotBuild(f"{words}\n{error}") from None
    run(["dpkg-deb", "-x", max(OUT.glob(f"{package}_*.deb")).resolve(), OUT / "package"])
    return OUT / "package" / "usr" / "src" / f"{package}.tar.xz"


def patched(tree: Path, patch: Path) -> Path:
    """A copy of a source tree with a patch; files that it does not touch are the same files."""
    copy = OUT / f"{tree.name}-{patch.stem}"
    shutil.rmtree(copy, ignore_errors=True)
    run(["cp", "-al", tree, copy])
    command = ["patch", "-p1", "--no-backup-if-mismatch", "-i", str(patch.resolve())]
    done = executed(command, copy)
    if done.returncode:
        failed = [line for line in done.stdout.splitlines() if "FAILED" in line or "can't" in line]
        shutil.rmtree(copy)
        raise CannotBuild(f"{patch} does not apply to {tree.name}:\n" + "\n".join(failed))
    return copy


def build(tree: Path, preemption: str, options: str = "") -> Path:
    """The objects of a source tree; returns the build directory."""
    made = OUT / f"{tree.name.replace('linux', 'build')}-{preemption}{options.replace(' ', '')}"
    made.mkdir(parents=True, exist_ok=True)
    make = ["make", "-s", "ARCH=riscv", f"CROSS_COMPILE={CROSS}", f"O={made.resolve()}"]
    if options:
        make.append(f"KCFLAGS={options}")
    config = made / ".config"
    if not config.exists():
        run([*make, "defconfig"], tree)
        off = [word for name in PREEMPTION.values() for word in ("-d", name)]
        settings = [*CONFIG, *off, "-e", PREEMPTION[preemption]]
        run(["scripts/config", "--file", config.resolve(), *settings], tree)
        run([*make, "olddefconfig"], tree)
    jobs = f"-j{os.cpu_count() or 1}"
    run([*make, jobs, *(f"arch/riscv/kvm/{name}.o" for name in FILES)], tree)
    return made


def main() -> int:
    """Build what the environment asks for: VERSION, PATCH, PREEMPTION, OPTIONS."""
    version = os.environ.get("VERSION") or "6.12"
    patch, preemption = os.environ.get("PATCH"), os.environ.get("PREEMPTION") or "full"
    try:
        check(patch, preemption)
        tree = source(version)
        options = os.environ.get("OPTIONS") or ""
        made = build(patched(tree, Path(patch)) if patch else tree, preemption, options)
    except CannotBuild as error:
        print(f"kernel-object: {error}", file=sys.stderr)
        return 2
    print(f"--variant v{version}+stable+object:{made}" if version == "6.12" else f"object:{made}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
